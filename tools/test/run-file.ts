import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from 'node:test';
import { pathToFileURL } from 'node:url';
import { killRunning } from './kill-tree.ts';
import type { TestFile } from './test-files.ts';

/** One test, or a suite whose hook failed. */
export interface TestResult {
  /** Includes the names of the enclosing suites. */
  readonly name: string;
  readonly state: 'passed' | 'failed' | 'skipped';
  readonly ms: number;
  /** When it ended, in ms as `Date.now`. */
  readonly endedMs: number;
  readonly error: string;
}

export interface FileResult {
  readonly file: TestFile;
  readonly ms: number;
  readonly tests: readonly TestResult[];
  /** Output of its tests. */
  readonly output: string;
  /** It took longer than its limit, and was killed. */
  readonly hung: boolean;
}

/** What Node's test runner reports when a test or a suite ends. */
interface Ended {
  readonly name: string;
  readonly nesting: number;
  readonly details: { readonly duration_ms: number; readonly type?: string; readonly error?: Error };
  readonly skip?: string | boolean;
  readonly file?: string;
}

export interface RunOptions {
  /** A process that runs longer is killed, with all that it started. */
  readonly limitMs: number;
  /** Only tests whose names match; empty: all. */
  readonly names: readonly RegExp[];
  readonly signal: AbortSignal;
}

/** Runs a test file in its own process, to its end. */
export async function runFile(file: TestFile, options: RunOptions): Promise<FileResult> {
  const fromMs = performance.now();
  const { ended, output, hung } = await runProgram(file.program, options);
  const tests = ended.flatMap(({ results }) => results);
  return { file, ms: performance.now() - fromMs, tests, output, hung };
}

/**
 * Runs files one after the other in one process, because for quick tests starting a process takes longer than the
 * tests. If that process ends early, each file runs again in its own process.
 */
export async function runTogether(files: readonly TestFile[], options: RunOptions): Promise<FileResult[]> {
  const dir = await mkdtemp(join(tmpdir(), 'virtio-trace-tests-'));
  try {
    const entry = join(dir, 'files.mjs');
    const imports = files.map(
      ({ program }) => `await import(${JSON.stringify(pathToFileURL(program).href)});\n`,
    );
    await writeFile(entry, imports.join(''));
    const { ended, output } = await runProgram(entry, options);
    const byFile = files.map((file) => ({
      file,
      own: ended.filter(({ program }) => program === file.program),
    }));
    // a process that ended early counts as one more failed test, and did not run all files
    const isWhole = byFile.flatMap(({ own }) => own).length === ended.length;
    if (isWhole && byFile.every(({ own }) => own.length > 0))
      return byFile.map(({ file, own }) => ({
        file,
        ms: own.reduce((sum, { ms }) => sum + ms, 0),
        tests: own.flatMap(({ results }) => results),
        output,
        hung: false,
      }));
    const alone: FileResult[] = [];
    for (const file of files) alone.push(await runFile(file, options));
    return alone;
  } finally {
    await rm(dir, { recursive: true });
  }
}

/** The end of a top-level test or suite. */
interface EndedAtTop {
  /** The JavaScript file that contains it. */
  readonly program: string | undefined;
  readonly ms: number;
  readonly results: readonly TestResult[];
}

interface Ran {
  readonly ended: readonly EndedAtTop[];
  readonly output: string;
  readonly hung: boolean;
}

async function runProgram(program: string, { names, signal, limitMs }: RunOptions): Promise<Ran> {
  const stream = run({
    files: [program],
    concurrency: 1,
    ...(names.length === 0 ? {} : { testNamePatterns: [...names] }),
  });
  const ended: EndedAtTop[] = [];
  const suites: string[] = [];
  /** The test that began last, in its suites. */
  const begun: string[] = [];
  let results: TestResult[] = [];
  let output = '';
  let hung = false;
  // not by Node, which would leave what a test started, and wait for its output to end
  const end = (): void => killRunning(program);
  signal.addEventListener('abort', end);
  const limit = setTimeout(() => {
    hung = true;
    killRunning(program);
  }, limitMs);
  const note = (data: Ended, passed: boolean): void => {
    const result = resultOf(program, data, passed, suites);
    const isKilled = hung && data.name === program;
    if (result !== undefined) results.push(isKilled ? { ...result, error: killed(limitMs, begun) } : result);
    if (data.nesting > 0) return;
    ended.push({ program: data.file, ms: data.details.duration_ms, results });
    results = [];
  };
  stream
    .on('test:dequeue', ({ nesting, name }) => begun.splice(nesting, Number.POSITIVE_INFINITY, name))
    .on('test:start', ({ nesting, name }) => suites.splice(nesting, Number.POSITIVE_INFINITY, name))
    .on('test:pass', (data) => note(data, true))
    .on('test:fail', (data) => note(data, false))
    .on('test:stdout', ({ message }) => (output += message))
    .on('test:stderr', ({ message }) => (output += message))
    .resume();
  await new Promise((resolve) => stream.once('end', resolve));
  clearTimeout(limit);
  signal.removeEventListener('abort', end);
  return { ended, output, hung };
}

function killed(limitMs: number, begun: readonly string[]): string {
  return `killed after its limit of ${limitMs / 1000} s; began last: ${begun.join(' › ')}`;
}

/** undefined for a file without tests, and for a suite whose result only reflects its tests. */
function resultOf(
  program: string,
  { name, nesting, details, skip }: Ended,
  passed: boolean,
  suites: readonly string[],
): TestResult | undefined {
  const isWhole = details.type === 'suite' || name === program;
  const error = passed ? '' : errorText(details.error);
  if (isWhole && (passed || error === '')) return undefined;
  if (skip === 'test name does not match pattern') return undefined;
  return {
    name: [...suites.slice(0, nesting), name === program ? 'the file as a whole' : name].join(' › '),
    state: !passed ? 'failed' : skip === undefined || skip === false ? 'passed' : 'skipped',
    ms: details.duration_ms,
    endedMs: Date.now(),
    error,
  };
}

/** Reported for a test that did not run. */
export const cancelled = 'not run: its suite failed before';

/** Empty if the error only repeats the failure of nested tests. */
function errorText(error: Error | undefined): string {
  if (error === undefined) return 'failed';
  if ('failureType' in error && error.failureType === 'subtestsFailed') return '';
  if ('failureType' in error && error.failureType === 'cancelledByParent') return cancelled;
  const { cause } = error;
  if (cause instanceof Error) return cause.stack ?? cause.message;
  return typeof cause === 'string' ? cause : (error.stack ?? error.message);
}
