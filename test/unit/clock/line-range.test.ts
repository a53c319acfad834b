import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { lineRange } from '../../../src/clock/map/line-range.ts';
import type { Point } from '../../../src/clock/map/observations.ts';
import { thorough } from '../../set.ts';

function point(x: number, low: number, high: number): Point {
  return { x, low, high, from: x, to: x };
}

const rates = { low: -10, high: 10 };

const anyPoint = fc
  .record({
    x: fc.integer({ min: -100, max: 100 }),
    low: fc.integer({ min: -50, max: 50 }),
    width: fc.integer({ min: 0, max: 60 }),
    open: fc.constantFrom('no', 'no', 'low', 'high'),
  })
  .map(({ x, low, width, open }) =>
    point(x, open === 'low' ? -Infinity : low, open === 'high' ? Infinity : low + width),
  );

/** Ends of the ranges, by trying every line through two corners, and every corner with an extreme rate. */
function byCorners(points: readonly Point[]): { values: number[]; rates: number[] } {
  const corners = points.flatMap(({ x, low, high }): [number, number][] => [
    [x, low],
    [x, high],
  ]);
  const lines: [value: number, rate: number][] = [];
  for (const [x, y] of corners.filter(([, y]) => Number.isFinite(y))) {
    for (const rate of [rates.low, rates.high]) lines.push([y - rate * x, rate]);
    for (const [x2, y2] of corners) {
      const rate = (y2 - y) / (x2 - x);
      if (x2 !== x && Math.abs(rate) <= 10) lines.push([y - rate * x, rate]);
    }
  }
  const fitting = lines.filter(([value, rate]) =>
    points.every(({ x, low, high }) => value + rate * x >= low - 1e-9 && value + rate * x <= high + 1e-9),
  );
  return { values: fitting.map(([value]) => value), rates: fitting.map(([, rate]) => rate) };
}

describe('lineRange', () => {
  it('has the ends that trying all corners finds', () => {
    const property = fc.property(fc.array(anyPoint, { minLength: 1, maxLength: 8 }), (points) => {
      // a range of both ends, so that values are finite
      points.push(point(0, -200, 200));
      const line = lineRange(points, { first: 0, end: points.length }, 0, 0, rates);
      const { values, rates: found } = byCorners(points);
      if (found.length === 0) return assert.equal(line, undefined);
      assert.ok(line !== undefined);
      const near = (a: number, b: number): void => assert.ok(Math.abs(a - b) < 0.05, `${a} ${b}`);
      near(line.value.low, Math.min(...values));
      near(line.value.high, Math.max(...values));
      near(line.rate.low, Math.min(...found));
      near(line.rate.high, Math.max(...found));
      // rounding and tolerance only ever make it wider
      assert.ok(
        line.value.low <= Math.min(...values) + 1e-6 && line.value.high >= Math.max(...values) - 1e-6,
      );
    });
    fc.assert(property, { numRuns: thorough(20_000) });
  });

  it('widens each range by its distance from the time in question', () => {
    const points = [point(-10, -1, 1), point(10, -1, 1)];
    const line = lineRange(points, { first: 0, end: 2 }, 0, 0.5, rates);
    assert.ok(Math.abs((line?.value.high ?? 0) - 6) < 0.01, `${line?.value.high}`);
  });

  it('leaves out points about other times', () => {
    const points = [point(0, 0, 1), { ...point(10, 5, 6), from: 5, to: 15 }];
    const until = lineRange(points, { first: 0, end: 2, until: 10 }, 0, 0, rates);
    const since = lineRange(points, { first: 0, end: 2, since: 1 }, 10, 0, rates);
    assert.deepEqual(until?.rate, rates);
    assert.deepEqual(since?.value, { low: 5, high: 6 });
  });
});
