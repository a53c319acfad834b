import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import type { ShiftSample } from '../../../../src/trace/dat/time-shift.ts';
import { ShiftedTime } from '../../../../src/trace/events/shifted-time.ts';

const sample = (time: bigint, offset: bigint, scale = 1n, fractionBits = 0n): ShiftSample => ({
  time,
  offset,
  scale,
  fractionBits,
});

/** `timestamp_correction_calc` of trace-cmd, in doubles: for small numbers. */
function onLine(
  time: number,
  [t0, o0]: readonly [number, number],
  [t1, o1]: readonly [number, number],
): number {
  const span = t1 - t0;
  return time + o0 + Math.trunc(((time - t0) * (o1 - o0) + Math.trunc(span / 2)) / span);
}

const samplesOf = (times: readonly number[], offsets: readonly number[]): ShiftSample[] =>
  times.map((time, index) => sample(BigInt(time), BigInt(offsets[index]!)));

const lists = fc
  .uniqueArray(fc.integer({ min: 1000, max: 4000 }), { minLength: 2, maxLength: 6 })
  .map((times) => times.toSorted((a, b) => a - b))
  .chain((times) =>
    fc.record({
      times: fc.constant(times),
      offsets: fc.array(fc.integer({ min: -300, max: 300 }), {
        minLength: times.length,
        maxLength: times.length,
      }),
    }),
  );

describe('the times of a guest as times of the host', () => {
  it('lie on the line through the samples around them', () =>
    fc.assert(
      fc.property(lists, fc.integer({ min: 1000, max: 6000 }), ({ times, offsets }, time) => {
        const shift = new ShiftedTime(samplesOf(times, offsets), true);
        const after = times.slice(1, -1).filter((each) => each <= time).length;
        const [a, b] = [after, after + 1].map((index) => [times[index]!, offsets[index]!] as const);
        assert.equal(shift.at(BigInt(time)), BigInt.asUintN(64, BigInt(onLine(time, a!, b!))));
      }),
    ));

  it('have the same correction in the whole range that is given', () =>
    fc.assert(
      fc.property(
        lists,
        fc.integer({ min: 0, max: 6000 }),
        fc.boolean(),
        ({ times, offsets }, time, interpolates) => {
          const shift = new ShiftedTime(samplesOf(times, offsets), interpolates);
          const { add, from, to } = shift.correction(BigInt(time));
          assert.ok(from <= BigInt(time) && BigInt(time) <= to);
          const last = to > 7000n ? 7000n : to;
          for (let each = from; each <= last; each++) assert.equal(shift.correction(each).add, add);
          assert.ok(interpolates || to > 6000n || shift.correction(to + 1n).from > to);
        },
      ),
    ));

  it('are found backwards', () =>
    fc.assert(
      fc.property(lists, fc.integer({ min: 2000, max: 4000 }), ({ times, offsets }, time) => {
        const shift = new ShiftedTime(samplesOf(times, offsets), true);
        const all = Array.from({ length: 9000 }, (_, each) => shift.at(BigInt(each)));
        const climbs = all.every((each, index) => index <= 2000 || each >= all[index - 1]!);
        assert.ok(climbs || !shift.isMonotone);
        fc.pre(shift.isMonotone);
        const first = shift.earliest(BigInt(time));
        assert.ok(shift.at(first) >= BigInt(time));
        assert.ok(first <= 2000n || shift.at(first - 1n) < BigInt(time));
      }),
    ));

  it('ignore the scale of a single sample, and use that of several', () => {
    assert.equal(new ShiftedTime([sample(5n, 100n, 3n)], true).at(7n), 107n);
    assert.equal(new ShiftedTime([sample(5n, 100n, 3n, 1n), sample(9n, 100n, 3n, 1n)], true).at(8n), 112n);
    assert.equal(
      new ShiftedTime([sample(5n, 100n, 3n, 1n), sample(9n, 100n, 3n, 1n)], true).isMonotone,
      false,
    );
  });

  it('wrap at 64 bits', () => {
    assert.equal(new ShiftedTime([sample(0n, -10n)], true).at(3n), (1n << 64n) - 7n);
    const far = new ShiftedTime([sample(0n, 0n), sample(1n << 40n, 1n << 39n)], true);
    const { from, to } = far.correction(1n << 60n);
    assert.deepEqual([from, to], [1n << 60n, 1n << 60n]);
  });
});
