import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { census, changes } from '../harness/census.ts';
import type { Guest } from '../harness/index.ts';

export interface AsBefore {
  /** The expected state; default: that before anything was changed in the guest. */
  readonly before?: readonly string[];
  /** Lines of the census that may differ. */
  readonly but?: RegExp;
  /** Maximum time until a process that was told to end has ended; default 10 s. */
  readonly settledMs?: number;
}

/**
 * Throws when anything was left behind in a guest: a setting that was not restored, an instance, a process, a file.
 */
export async function assertAsBefore(guest: Guest, options: AsBefore = {}): Promise<void> {
  const { before, but = /^$/, settledMs = 10_000 } = options;
  const wanted = before ?? (await guest.censusBefore());
  for (const deadlineMs = performance.now() + settledMs; ; await sleep(200)) {
    const left = changes(wanted, await census(guest)).filter((line) => !but.test(line.slice(1)));
    if (left.length === 0) return;
    if (performance.now() >= deadlineMs) assert.fail(`left behind in the guest:\n${left.join('\n')}`);
  }
}
