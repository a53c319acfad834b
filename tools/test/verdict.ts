import type { FileResult, TestResult } from './run-file.ts';

/** Result of a file's tests, after a second try if the first one failed. */
export interface Verdict {
  readonly first: FileResult;
  /** Only if a test failed in the first try. */
  readonly second: FileResult | undefined;
  readonly failed: readonly TestResult[];
  /** Failed in one try and passed in the other. */
  readonly unsteady: readonly TestResult[];
  readonly passed: number;
  readonly skipped: readonly TestResult[];
}

/** More unsteady tests than this in one run are a failure: each is a bug in the product or in a test. */
export const unsteadyMost = 2;

export function verdictOf(first: FileResult, second?: FileResult): Verdict {
  const failedIn = (result: FileResult | undefined): TestResult[] =>
    result?.tests.filter(({ state }) => state === 'failed') ?? [];
  const names = (results: readonly TestResult[]): Set<string> => new Set(results.map(({ name }) => name));
  const firstFailed = failedIn(first);
  const secondFailed = failedIn(second);
  const failed =
    second === undefined ? firstFailed : secondFailed.filter(({ name }) => names(firstFailed).has(name));
  const unsteady =
    second === undefined
      ? []
      : [
          ...firstFailed.filter(({ name }) => !names(secondFailed).has(name)),
          ...secondFailed.filter(({ name }) => !names(firstFailed).has(name)),
        ];
  const last = second ?? first;
  const troubled = names([...failed, ...unsteady]);
  return {
    first,
    second,
    failed,
    unsteady,
    passed: last.tests.filter(({ name, state }) => state === 'passed' && !troubled.has(name)).length,
    skipped: last.tests.filter(({ state }) => state === 'skipped'),
  };
}

/** Whether the run as a whole passed. */
export function isGood(verdicts: readonly Verdict[]): boolean {
  const unsteady = verdicts.reduce((sum, verdict) => sum + verdict.unsteady.length, 0);
  return verdicts.every(({ failed }) => failed.length === 0) && unsteady <= unsteadyMost;
}
