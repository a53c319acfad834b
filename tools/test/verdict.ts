import type { FileResult, TestResult } from './run-file.ts';

/** What a file's tests came to, after a second try where the first one failed. */
export interface Verdict {
  readonly first: FileResult;
  /** Only where something failed in the first. */
  readonly second: FileResult | undefined;
  readonly failed: readonly TestResult[];
  /** Failed in one try and passed in the other. */
  readonly unsteady: readonly TestResult[];
  readonly passed: number;
  readonly skipped: readonly TestResult[];
}

/** More than so many in one run are a failure: they are bugs of the product or of a test, and are to be found. */
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

/** Whether all of it is good enough to land. */
export function isGood(verdicts: readonly Verdict[]): boolean {
  const unsteady = verdicts.reduce((sum, verdict) => sum + verdict.unsteady.length, 0);
  return verdicts.every(({ failed }) => failed.length === 0) && unsteady <= unsteadyMost;
}
