import { test } from 'node:test';
import type { TestContext } from 'node:test';

/** Whether the long set runs (`npm run test:long`). */
export const isLong = process.env['TEST_SET'] === 'long';

/** A test that only the long set contains. */
export function longTest(name: string, body: (context: TestContext) => void | Promise<void>): void {
  if (isLong) test(name, body);
}

/** Number of runs of a property test: the short set has a tenth of those of the long one. */
export function thorough(runs: number): number {
  return isLong ? runs : Math.ceil(runs / 10);
}
