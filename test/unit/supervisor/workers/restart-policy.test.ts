import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import {
  type CrashHistory,
  decideRestart,
  defaultRestartLimits,
  noCrashes,
  replaceAtOnce,
} from '../../../../src/supervisor/workers/restart-policy.ts';

const limits = { ...defaultRestartLimits, maxRestarts: 10 };

interface Crash {
  readonly atMs: number;
  readonly livedMs: number;
}

/** The decision about each crash in sequence: its delay, or `give-up`. */
function decide(crashes: readonly Crash[], random: number, maxRestarts = limits.maxRestarts) {
  let history: CrashHistory = noCrashes;
  return crashes.map(({ atMs, livedMs }) => {
    const decision = decideRestart(history, atMs, livedMs, { ...limits, maxRestarts }, random);
    history = decision.history;
    return decision.kind === 'restart' ? decision.delayMs : decision.kind;
  });
}

/** `count` crashes of workers that never became ready, `everyMs` apart. */
function crashes(count: number, everyMs: number): Crash[] {
  return Array.from({ length: count }, (_, index) => ({ atMs: 1_000_000 + index * everyMs, livedMs: 0 }));
}

describe('the delay before a restart', () => {
  it('doubles from 100 ms up to 10 s, half of that with the smallest jitter', () => {
    const whole = [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 10_000];
    // As if random() could return 1, which it can approach arbitrarily closely.
    assert.deepEqual(decide(crashes(10, 7000), 1), whole);
    assert.deepEqual(
      decide(crashes(10, 7000), 0),
      whole.map((ms) => ms / 2),
    );
  });

  it('stays between 50 ms and 10 s, for any number of crashes', () => {
    fc.assert(
      fc.property(
        fc.nat(5000),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (streak, random) => {
          const decision = decideRestart({ crashesMs: [], streak }, 1e9, 0, limits, random);
          assert.equal(decision.kind, 'restart');
          assert.ok(decision.kind === 'restart' && decision.delayMs >= 50 && decision.delayMs <= 10_000);
        },
      ),
    );
  });

  it('starts over after 30 s without a crash and not before', () => {
    const [first, second, third] = crashes(3, 40_000);
    assert.ok(first !== undefined && second !== undefined && third !== undefined);
    assert.deepEqual(decide([first, second, { ...third, livedMs: 29_999 }], 1), [100, 200, 400]);
    assert.deepEqual(decide([first, second, { ...third, livedMs: 30_000 }], 1), [100, 200, 100]);
  });
});

describe('giving up', () => {
  it('happens at the first crash beyond the limit, not at the limit', () => {
    const decisions = decide(crashes(11, 1000), 0);
    assert.equal(decisions.indexOf('give-up'), 10);
  });

  it('happens at the first crash when no restart is allowed', () => {
    assert.deepEqual(decide(crashes(1, 1), 0, 0), ['give-up']);
  });

  it('forgets crashes older than the window', () => {
    // Each eleventh crash happens just when the first of its ten leaves the window.
    assert.ok(!decide(crashes(500, 6000), 0).includes('give-up'));
    assert.ok(decide(crashes(11, 5999), 0).includes('give-up'));
  });

  it('happens exactly when more crashes than allowed are within the window', () => {
    const gap = fc.nat(20_000);
    fc.assert(
      fc.property(fc.array(gap, { maxLength: 60 }), fc.nat(12), (gaps, maxRestarts) => {
        let atMs = 5;
        const times = gaps.map((ms) => (atMs += ms));
        const decisions = decide(
          times.map((time) => ({ atMs: time, livedMs: 40_000 })),
          0.5,
          maxRestarts,
        );
        decisions.forEach((decision, index) => {
          const now = times[index] ?? 0;
          const recent = times.slice(0, index + 1).filter((time) => now - time < limits.windowMs).length;
          assert.equal(decision === 'give-up', recent > maxRestarts);
        });
      }),
    );
  });

  it('keeps no more crashes than the window has', () => {
    let history: CrashHistory = noCrashes;
    for (const { atMs, livedMs } of crashes(10_000, 6000))
      history = decideRestart(history, atMs, livedMs, limits, 0).history;
    assert.equal(history.crashesMs.length, 10);
  });
});

describe('a replacement at once', () => {
  /** Number of allowed replacements of `count` requests, `everyMs` apart. */
  function allowed(count: number, everyMs: number, maxRestarts: number): number {
    let replacedMs: readonly number[] = [];
    let times = 0;
    for (const { atMs } of crashes(count, everyMs)) {
      const next = replaceAtOnce(replacedMs, atMs, { ...limits, maxRestarts });
      if (next === undefined) continue;
      replacedMs = next;
      times += 1;
    }
    return times;
  }

  it('is possible half as often within 60 s as restarts are allowed, rounded up', () => {
    for (const [maxRestarts, most] of [
      [0, 0],
      [1, 1],
      [2, 1],
      [3, 2],
      [10, 5],
      [1000, 500],
    ] as const)
      assert.equal(allowed(600, 1, maxRestarts), most, `${maxRestarts}`);
  });

  it('is possible again when the earlier ones are older than that; no more of them are kept', () => {
    assert.equal(allowed(500, 12_000, 10), 500);
    assert.equal(allowed(6, 11_999, 10), 5);
    let replacedMs: readonly number[] = [];
    for (const { atMs } of crashes(1000, 12_000))
      replacedMs = replaceAtOnce(replacedMs, atMs, limits) ?? replacedMs;
    assert.equal(replacedMs.length, 5);
  });
});
