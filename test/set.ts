import { test } from 'node:test';
import type { TestContext } from 'node:test';

/** Whether the long set runs (`npm run test:long`). */
export const isLong = process.env['TEST_SET'] === 'long';

/** A test of the long set alone. */
export function longTest(name: string, body: (context: TestContext) => void | Promise<void>): void {
  if (isLong) test(name, body);
}

/** How many runs of a property: in the short set a tenth of what the long one has. */
export function thorough(runs: number): number {
  return isLong ? runs : Math.ceil(runs / 10);
}
