import type { GuestReports } from './guest-reports.ts';
import { cancelled } from './run-file.ts';
import type { FileResult, TestResult } from './run-file.ts';
import type { TestFile } from './test-files.ts';
import { testNames } from './test-files.ts';
import { unsteadyMost, type Verdict } from './verdict.ts';

const slowest = 10;
const outputTailChars = 6000;

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

/** One line about a file that has run. */
export function fileLine({ first, second, failed, unsteady }: Verdict): string {
  const mark = failed.length > 0 ? '✖' : unsteady.length > 0 ? '~' : '✔';
  const tries =
    second === undefined ? '' : `, tried twice: ${failed.length} failed, ${unsteady.length} unsteady`;
  const count = `${first.tests.length} tests${tries}`;
  return `${mark} ${first.file.path.padEnd(56)} ${seconds(first.ms + (second?.ms ?? 0)).padStart(8)}  ${count}`;
}

/** All details of tests that failed or were unsteady. */
export function failuresText(verdicts: readonly Verdict[], reports: GuestReports): string {
  return verdicts
    .filter(({ failed, unsteady }) => failed.length + unsteady.length > 0)
    .map((verdict) => failureText(verdict, reports))
    .join('\n');
}

function failureText({ first, second, failed, unsteady }: Verdict, reports: GuestReports): string {
  const parts: string[] = [];
  for (const { name } of [...failed, ...unsteady]) {
    const word = failed.some((test) => test.name === name) ? 'FAILED' : 'UNSTEADY';
    parts.push(`\n${word} ${first.file.path}: ${name}`);
    for (const [label, result] of [
      ['first try', first],
      ['second try', second],
    ] as const) {
      const test = result?.tests.find((candidate) => candidate.name === name);
      if (test === undefined) continue;
      parts.push(`-- ${label}: ${test.state} after ${seconds(test.ms)}`);
      if (test.state !== 'failed') continue;
      parts.push(test.error);
      if (test.error !== cancelled) parts.push(reports.of(first.file, test));
    }
  }
  for (const result of [first, second])
    if (result !== undefined && result.output !== '') parts.push(outputText(result));
  return parts.filter((part) => part !== '').join('\n');
}

function outputText({ output }: FileResult): string {
  const text = output.length <= outputTailChars ? output : `…${output.slice(-outputTailChars)}`;
  return `-- output of the file's tests:\n${text.trimEnd()}`;
}

/** The tests that took the longest. */
export function slowestText(verdicts: readonly Verdict[]): string {
  const tests = verdicts.flatMap(({ first }) => first.tests.map((test) => ({ test, file: first.file })));
  const lines = tests
    .toSorted((a, b) => b.test.ms - a.test.ms)
    .slice(0, slowest)
    .map(({ test, file }) => `${seconds(test.ms).padStart(8)}  ${file.path}: ${test.name}`);
  return ['the slowest:', ...lines].join('\n');
}

/** Skipped tests with their reason, one per line. */
export function skippedText(verdicts: readonly Verdict[]): string {
  const lines = verdicts.flatMap(({ first, skipped }) =>
    skipped.map(({ name }) => `${first.file.path}: ${name}`),
  );
  return lines.length === 0 ? '' : ['skipped:', ...lines].join('\n');
}

function minutes(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** The last lines of a run: duration, unsteady tests, and counts. */
export function summaryText(verdicts: readonly Verdict[], set: string, ms: number): string {
  const sum = (count: (verdict: Verdict) => number): number =>
    verdicts.reduce((all, one) => all + count(one), 0);
  const unsteady = sum((verdict) => verdict.unsteady.length);
  const tooMany = unsteady > unsteadyMost;
  const lines = [`${set} set: ${verdicts.length} files in ${minutes(ms)}`];
  // TEST_SINCE: when the first of several steps began, of which the tests are the last; seconds since 1970
  const since = Number(process.env['TEST_SINCE']);
  if (since > 0) lines.push(`all steps: ${minutes(Date.now() - since * 1000)}`);
  if (unsteady > 0) {
    const judged = tooMany ? 'they count as failed' : `up to ${unsteadyMost} are tolerated`;
    lines.push(`unsteady: ${unsteady} tests failed in one of two tries (${judged})`);
  }
  const passed = sum((verdict) => verdict.passed) + (tooMany ? 0 : unsteady);
  const failed = sum((verdict) => verdict.failed.length) + (tooMany ? unsteady : 0);
  lines.push(`${passed} passed, ${failed} failed, ${sum((verdict) => verdict.skipped.length)} skipped`);
  return lines.join('\n');
}

/** All files with their tests, and the set of each test. */
export function listText(files: readonly TestFile[]): string {
  return files
    .map((file) => {
      const tests = testNames(file).map(({ name, long }) => `  ${long ? 'long ' : 'short'}  ${name}`);
      return [`${file.path}${file.alone === undefined ? '' : ` (alone: ${file.alone})`}`, ...tests].join(
        '\n',
      );
    })
    .join('\n');
}

/** Printed as soon as a first try fails, while other files still run. */
export function retryLine(file: TestFile, failed: readonly TestResult[]): string {
  return `… ${file.path}: ${failed.map(({ name }) => name).join('; ')}: failed, will run once more`;
}
