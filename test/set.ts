import { test } from 'node:test';
import type { TestContext } from 'node:test';

/** Whether the long set runs (`npm run test:long`). */
export const isLong = process.env['TEST_SET'] === 'long';

/** A test of the long set alone. */
export function longTest(name: string, body: (context: TestContext) => Promise<void>): void {
  if (isLong) test(name, body);
}
