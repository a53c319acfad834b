import { run } from 'node:test';
import type { TestFile } from './test-files.ts';

/** One test, or a suite whose hook failed. */
export interface TestResult {
  /** With the names of the suites that it is in. */
  readonly name: string;
  readonly state: 'passed' | 'failed' | 'skipped';
  readonly ms: number;
  /** When it ended, as `Date.now` has it. */
  readonly endedMs: number;
  readonly error: string;
}

export interface FileResult {
  readonly file: TestFile;
  readonly ms: number;
  readonly tests: readonly TestResult[];
  /** What its tests wrote. */
  readonly output: string;
}

/** What Node's test runner says of a test or a suite at its end. */
interface Ended {
  readonly name: string;
  readonly nesting: number;
  readonly details: { readonly duration_ms: number; readonly type?: string; readonly error?: Error };
  readonly skip?: string | boolean;
  readonly file?: string;
}

/** A file that takes longer hangs. */
const longestMs = { short: 20 * 60_000, long: 100 * 60_000 };

/** Runs a file of tests in a process of its own, to its end; of its tests those that match, if there are patterns. */
export async function runFile(
  file: TestFile,
  { names, signal }: { readonly names: readonly RegExp[]; readonly signal: AbortSignal },
): Promise<FileResult> {
  const fromMs = performance.now();
  const stream = run({
    files: [file.program],
    concurrency: 1,
    signal,
    timeout: longestMs[process.env['TEST_SET'] === 'long' ? 'long' : 'short'],
    ...(names.length === 0 ? {} : { testNamePatterns: [...names] }),
  });
  const tests: TestResult[] = [];
  const suites: string[] = [];
  let output = '';
  const ended = (data: Ended, passed: boolean): void => {
    const result = resultOf(file, data, passed, suites);
    if (result !== undefined) tests.push(result);
  };
  stream
    .on('test:start', ({ nesting, name }) => suites.splice(nesting, Number.POSITIVE_INFINITY, name))
    .on('test:pass', (data) => ended(data, true))
    .on('test:fail', (data) => ended(data, false))
    .on('test:stdout', ({ message }) => (output += message))
    .on('test:stderr', ({ message }) => (output += message))
    .resume();
  await new Promise((resolve) => stream.once('end', resolve));
  return { file, ms: performance.now() - fromMs, tests, output };
}

/** Nothing for a suite that is as its tests are, and for a file without tests. */
function resultOf(
  file: TestFile,
  { name, nesting, details, skip }: Ended,
  passed: boolean,
  suites: readonly string[],
): TestResult | undefined {
  const isWhole = details.type === 'suite' || name === file.program;
  const error = passed ? '' : errorText(details.error);
  if (isWhole && (passed || error === '')) return undefined;
  if (skip === 'test name does not match pattern') return undefined;
  return {
    name: [...suites.slice(0, nesting), name === file.program ? 'the file as a whole' : name].join(' › '),
    state: !passed ? 'failed' : skip === undefined || skip === false ? 'passed' : 'skipped',
    ms: details.duration_ms,
    endedMs: Date.now(),
    error,
  };
}

/** A test that did not come to its turn says nothing of itself. */
export const cancelled = 'not run: its suite failed before';

/** Empty where only the failure of tests inside is told once more. */
function errorText(error: Error | undefined): string {
  if (error === undefined) return 'failed';
  if ('failureType' in error && error.failureType === 'subtestsFailed') return '';
  if ('failureType' in error && error.failureType === 'cancelledByParent') return cancelled;
  const { cause } = error;
  if (cause instanceof Error) return cause.stack ?? cause.message;
  return typeof cause === 'string' ? cause : (error.stack ?? error.message);
}
