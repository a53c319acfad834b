import type { Point } from './observations.ts';

export interface Range {
  readonly low: number;
  readonly high: number;
}

/**
 * The lines y = value + rate · (x − at) that pass through all points' ranges: their values at `at`, and their rates.
 */
export interface LineRange {
  readonly value: Range;
  readonly rate: Range;
}

/**
 * The points from index `first` to before `end`, without those that are about times before `since` or after `until`.
 */
export interface Choice {
  readonly first: number;
  readonly end: number;
  readonly since?: number;
  readonly until?: number;
}

/** Smallest gap between the two sides that counts as a contradiction, in ns; larger than rounding errors. */
const tolerance = 1e-3;
const mostSteps = 200;

/** Used by each call in turn: a new array for each would cost more than the computation. */
let columns = new Float64Array(4 * 128);

/**
 * All lines through the ranges of some points whose rate is in `rates`. A linear program of two variables.
 * A point's range is widened by `wander` for each ns that it is away from `at`. Undefined if there is no such line.
 *
 * For each rate the values that fit go from max(low − rate · dx) to min(high − rate · dx): a convex and a concave
 * function. Both ends are approached by tangents, which never cross them, so the result is never too narrow.
 */
export function lineRange(
  points: readonly Point[],
  { first: firstIndex, end, since = -Infinity, until = Infinity }: Choice,
  at: number,
  wander: number,
  rates: Range,
): LineRange | undefined {
  const most = end - firstIndex;
  if (columns.length < 4 * most) columns = new Float64Array(4 * most);
  let count = 0;
  for (let i = firstIndex; i < end; i++) {
    const point = points[i]!;
    if (point.from < since || point.to > until) continue;
    const dx = point.x - at;
    const slack = wander * Math.abs(dx);
    columns[count] = dx;
    columns[most + count] = point.high + slack;
    // the low ends with reversed signs, so that the same function handles both sides
    columns[2 * most + count] = -dx;
    columns[3 * most + count] = slack - point.low;
    count++;
  }
  const upper = new Side(columns, 0, most, count);
  const lower = new Side(columns, 2 * most, 3 * most, count);
  const first = feasibleEnd(upper, lower, rates, 1);
  if (first === undefined) return undefined;
  const last = feasibleEnd(upper, lower, rates, -1);
  if (last === undefined) return undefined;
  const rate = first <= last ? { low: first, high: last } : { low: last, high: first };
  return { value: { low: -greatest(lower, rate), high: greatest(upper, rate) }, rate };
}

/** min(end − rate · dx), a concave function of the rate. */
class Side {
  readonly #columns: Float64Array;
  /** Where each column begins. */
  readonly #dx: number;
  readonly #ends: number;
  readonly #count: number;
  /** Slope of the tangent at the last rate that was passed to `at`. */
  slope = 0;

  constructor(columns: Float64Array, dx: number, ends: number, count: number) {
    this.#columns = columns;
    this.#dx = dx;
    this.#ends = ends;
    this.#count = count;
  }

  at(rate: number): number {
    const columns = this.#columns;
    const [dxAt, endsAt] = [this.#dx, this.#ends];
    let least = Infinity;
    let slope = 0;
    for (let i = 0; i < this.#count; i++) {
      const dx = columns[dxAt + i]!;
      const value = columns[endsAt + i]! - rate * dx;
      if (value < least) {
        least = value;
        slope = -dx;
      }
    }
    this.slope = slope;
    return least;
  }
}

/**
 * The first rate in `direction` at which the sides leave room; undefined if there is none. Newton's method from
 * outside: the room is concave, so no step goes beyond the end.
 */
function feasibleEnd(upper: Side, lower: Side, rates: Range, direction: 1 | -1): number | undefined {
  let rate = direction > 0 ? rates.low : rates.high;
  for (let step = 0; step < mostSteps; step++) {
    const room = upper.at(rate) + lower.at(rate);
    if (room >= -tolerance) return rate;
    const slope = upper.slope + lower.slope;
    if (slope * direction <= 0) return undefined;
    const next = rate - room / slope;
    if (next > rates.high || next < rates.low) return undefined;
    // the step is too small to change the number
    if (next === rate) return rate;
    rate = next;
  }
  return rate;
}

/** The greatest value of a concave function in a range: the crossing of tangents, which is never below it. */
function greatest(side: Side, { low, high }: Range): number {
  let left = low;
  let right = high;
  let leftValue = side.at(left);
  let leftSlope = side.slope;
  if (leftSlope <= 0 || left === right) return leftValue;
  let rightValue = side.at(right);
  let rightSlope = side.slope;
  if (rightSlope >= 0) return rightValue;
  for (let step = 0; ; step++) {
    const rate = (rightValue - leftValue + leftSlope * left - rightSlope * right) / (leftSlope - rightSlope);
    const crossing = leftValue + leftSlope * (rate - left);
    if (step === mostSteps || rate <= left || rate >= right) return Math.max(crossing, leftValue, rightValue);
    const value = side.at(rate);
    if (value >= crossing - tolerance) return crossing;
    if (side.slope > 0) {
      left = rate;
      leftValue = value;
      leftSlope = side.slope;
    } else {
      right = rate;
      rightValue = value;
      rightSlope = side.slope;
    }
  }
}
