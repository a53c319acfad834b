import { reach, type Stretch } from './cut.ts';
import { type Choice, lineRange, type LineRange, type Range } from './line-range.ts';
import type { Limits, Point } from './observations.ts';

/** A straight part of the relation between the clocks. Times between the ends lie on the line between them. */
export interface Segment {
  readonly guestFrom: bigint;
  readonly guestTo: bigint;
  readonly hostFrom: bigint;
  readonly hostTo: bigint;
  /** Largest error in ns at either end; in between at most what lies on the line between. */
  readonly boundFrom: number;
  readonly boundTo: number;
  /** Least and largest rate of host − guest, in ns per ns. */
  readonly rates: Range;
  /** Which group of pings it belongs to, counted from 0; −1 for a jump. */
  readonly group: number;
}

/** Where a stretch of samples begins or ends, and how the relation goes on from there. */
export interface End {
  readonly guest: bigint;
  readonly host: bigint;
  readonly bound: number;
  /** Best guess of the rate of host − guest. */
  readonly rate: number;
  /** By how much the bound grows for each ns away from the end. */
  readonly growth: number;
}

export interface Course {
  readonly segments: readonly Segment[];
  readonly head: End;
  readonly tail: End;
}

/** What rounding to whole nanoseconds may add, at both ends and in between. */
const roundingNs = 2;

/** Of samples that are closer than this two are kept. */
const spacing = 50e6;

/**
 * The relation between the clocks in one stretch, as lines between knots; undefined if only the order of events is known.
 *
 * The best guess at a knot is the middle of all lines through the samples around it. The bound also holds if one jump,
 * too small to be seen, is near: of the time between two knots each moment is either before it, and then the samples
 * until the first knot count, or after it, and then those from the second knot on count. The bound covers both. A jump
 * leaves the rate as it was, so the rate of one side limits the other's.
 */
export function courseOf(stretch: Stretch, group: number, limits: Limits): Course | undefined {
  const { frame } = stretch;
  const points = thinned(stretch.points);
  const lines = new Lines(points, limits);
  const knots = knotsOf(points);
  if (knots.length === 0) return undefined;
  const guesses = knots.map((knot) => middle(lines.around(knot).value));
  const segments: Segment[] = [];
  for (let k = 0; k + 1 < knots.length; k++) {
    const [from, to] = [knots[k]!, knots[k + 1]!];
    const ends = lines.between(from, to);
    const [guessFrom, guessTo] = [guesses[k]!, guesses[k + 1]!];
    segments.push({
      guestFrom: frame.guestAt(points[from]!.x),
      guestTo: frame.guestAt(points[to]!.x),
      hostFrom: frame.hostAt(points[from]!.x, guessFrom),
      hostTo: frame.hostAt(points[to]!.x, guessTo),
      boundFrom: farthest(ends.from, guessFrom) + roundingNs,
      boundTo: farthest(ends.to, guessTo) + roundingNs,
      rates: ends.rates,
      group,
    });
  }
  const endAt = (knot: number, { value, rate }: LineRange): End => {
    const { x } = points[knots[knot]!]!;
    const guess = guesses[knot]!;
    const slope = middle(lines.around(knots[knot]!).rate);
    return {
      guest: frame.guestAt(x),
      host: frame.hostAt(x, guess),
      bound: farthest(value, guess) + roundingNs,
      rate: slope,
      growth: farthest(rate, slope) + limits.wander,
    };
  };
  return {
    segments,
    head: endAt(0, lines.outside(knots, 'before')),
    tail: endAt(knots.length - 1, lines.outside(knots, 'after')),
  };
}

/** Of each group of points that are close together the two that tell most. */
function thinned(points: readonly Point[]): Point[] {
  const kept: Point[] = [];
  let from = 0;
  while (from < points.length) {
    let to = from;
    let lowest = from;
    let highest = from;
    while (to < points.length && points[to]!.x - points[from]!.x <= spacing) {
      if (points[to]!.high < points[lowest]!.high) lowest = to;
      if (points[to]!.low > points[highest]!.low) highest = to;
      to++;
    }
    for (const index of new Set([Math.min(lowest, highest), Math.max(lowest, highest)]))
      kept.push(points[index]!);
    from = to;
  }
  return kept;
}

/** Indices of the points at which knots are: those with two ends. */
function knotsOf(points: readonly Point[]): number[] {
  const knots: number[] = [];
  for (const [index, { x, low, high }] of points.entries()) {
    const before = knots.at(-1);
    if (!Number.isFinite(low) || !Number.isFinite(high)) continue;
    if (before === undefined || x > points[before]!.x) knots.push(index);
  }
  return knots;
}

class Lines {
  readonly #points: readonly Point[];
  readonly #limits: Limits;

  constructor(points: readonly Point[], limits: Limits) {
    this.#points = points;
    this.#limits = limits;
  }

  /** Lines through the points on both sides of a knot. */
  around(knot: number): LineRange {
    return this.#near((count) => this.#choice(knot + 1 - count, knot + count), knot, this.#all)!;
  }

  /** Lines through the points about the time up to a knot, or at least the knot's own. */
  before(knot: number, at = knot, rates = this.#all): LineRange {
    const until = this.#points[knot]!.x;
    const line = this.#near((count) => ({ ...this.#choice(knot + 1 - count, knot + 1), until }), at, rates);
    return isFinite(line) ? line : this.#own(knot, at, rates);
  }

  /** Lines through the points about the time from a knot on, or at least the knot's own. */
  after(knot: number, at = knot, rates = this.#all): LineRange {
    const since = this.#points[knot]!.x;
    const line = this.#near((count) => ({ ...this.#choice(knot, knot + count), since }), at, rates);
    return isFinite(line) ? line : this.#own(knot, at, rates);
  }

  /** The values at both ends of the time between two knots, if there may be a jump at any moment of it. */
  between(from: number, to: number): { from: Range; to: Range; rates: Range } {
    const ratesBefore = this.before(from).rate;
    const ratesAfter = this.after(to).rate;
    return {
      from: hull(this.before(from, from, ratesAfter).value, this.after(to, from, ratesBefore).value),
      to: hull(this.before(from, to, ratesAfter).value, this.after(to, to, ratesBefore).value),
      rates: hull(ratesBefore, ratesAfter),
    };
  }

  /** What is known beyond the first or last of the knots, if there may be a jump between any two of them. */
  outside(knots: readonly number[], side: 'before' | 'after'): LineRange {
    const near = side === 'before' ? knots.slice(0, reach) : knots.slice(-reach);
    const end = side === 'before' ? near[0]! : near.at(-1)!;
    const own = side === 'before' ? this.before(end) : this.after(end);
    const rates: Range[] = [];
    for (let k = 0; k + 1 < near.length; k++) {
      const [a, b] = [this.before(near[k]!).rate, this.after(near[k + 1]!).rate];
      const common = { low: Math.max(a.low, b.low), high: Math.min(a.high, b.high) };
      rates.push(common.low <= common.high ? common : hull(a, b));
    }
    return { value: own.value, rate: rates.length === 0 ? own.rate : rates.reduce(hull) };
  }

  get #all(): Range {
    return { low: -this.#limits.mostRate, high: this.#limits.mostRate };
  }

  #choice(first: number, end: number): Choice {
    return { first: Math.max(0, first), end: Math.min(this.#points.length, end) };
  }

  #own(knot: number, at: number, rates: Range): LineRange {
    return this.#near(() => this.#choice(knot, knot + 1), at, rates);
  }

  /** Lines of these rates, if there are any, through as many points near the knot as have one. */
  #near(choice: (count: number) => Choice, at: number, rates: Range): LineRange {
    const { x } = this.#points[at]!;
    const line = lineRange(this.#points, choice(reach), x, this.#limits.wander, rates);
    if (line !== undefined) return line;
    for (let count = reach; count > 1; count = Math.floor(count / 2)) {
      const nearer = lineRange(this.#points, choice(count), x, this.#limits.wander, this.#all);
      if (nearer !== undefined) return nearer;
    }
    return lineRange(this.#points, choice(1), x, this.#limits.wander, this.#all)!;
  }
}

function isFinite({ value }: LineRange): boolean {
  return Number.isFinite(value.low) && Number.isFinite(value.high);
}

function hull(a: Range, b: Range): Range {
  return { low: Math.min(a.low, b.low), high: Math.max(a.high, b.high) };
}

function middle({ low, high }: Range): number {
  return (low + high) / 2;
}

function farthest({ low, high }: Range, from: number): number {
  return Math.max(high - from, from - low);
}
