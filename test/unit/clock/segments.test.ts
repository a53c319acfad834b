import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { within } from '../../../src/clock/map/clock-map.ts';
import { cut } from '../../../src/clock/map/cut.ts';
import { limitsOf, type Sample } from '../../../src/clock/map/observations.ts';
import { courseOf } from '../../../src/clock/map/segments.ts';

const ms = 1_000_000n;
const us = 1000n;

/** What a window of 100 ms says of host − guest. */
function windowAt(guest: bigint, difference: number, width: number): Sample {
  const [low, high] = [BigInt(difference - width) * us, BigInt(difference + width) * us];
  return { guest, low, high, reachNs: 50e6, method: 'exclusion' };
}

describe('the relation between samples', () => {
  // so many windows; the clock jumps by so many us, so many ms from the middle of one; what that one says, with less doubt
  for (const [count, jumping, width, jump, from, says] of [
    [10, 1, 29, 42, -40, 5],
    [9, 6, 17, 46, -21, 24],
    [7, 4, 23, 40, 47, 38],
    [20, 3, 12, 23, 39, 17],
    [16, 2, 18, 27, 45, 25],
    [5, 3, 18, 47, 44, 34],
    [6, 1, 13, 32, -47, 9],
    [5, 1, 13, 27, -40, 4],
  ] as const)
    it(`has a bound that holds next to a jump of ${jump} us within the time of window ${jumping}`, () => {
      const samples = Array.from({ length: count }, (_, i) => {
        const guest = BigInt(i) * 100n * ms;
        if (i === jumping) return windowAt(guest, says, Math.floor(width / 6));
        return windowAt(guest, i < jumping ? 0 : jump, width);
      });
      const limits = limitsOf({});
      const [stretch, ...others] = cut(samples, limits);
      assert.equal(others.length, 0, 'no jump is seen');
      const { segments } = courseOf(stretch!, 0, limits)!;
      const jumped = BigInt(100 * jumping + from) * ms;
      for (let guest = 0n; guest < BigInt(count - 1) * 100n * ms; guest += 7n * ms) {
        const segment = segments.find(({ guestTo }) => guestTo >= guest)!;
        const { ns, boundNs } = within(segment, guest);
        const error = Number(ns - guest - (guest < jumped ? 0n : BigInt(jump) * us));
        assert.ok(Math.abs(error) <= boundNs, `at ${guest}: ${error}, not ${boundNs}`);
      }
    });
});
