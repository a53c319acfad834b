import { reach, type Stretch } from './cut.ts';
import { type Choice, lineRange, type LineRange, type Range } from './line-range.ts';
import type { Limits, Point } from './observations.ts';

/** A straight part of the relation between the clocks. Times between the ends lie on the line between them. */
export interface Segment {
  readonly guestFrom: bigint;
  readonly guestTo: bigint;
  readonly hostFrom: bigint;
  readonly hostTo: bigint;
  /** Largest error in ns at either end; in between, it is interpolated. */
  readonly boundFrom: number;
  readonly boundTo: number;
  /** Least and largest rate of host − guest, in ns per ns. */
  readonly rates: Range;
  /** Index of the group of pings that it belongs to; −1 for a jump. */
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

/** Error that rounding to whole nanoseconds may add, at both ends and in between. */
const roundingNs = 2;

/** Of samples that are closer together than this, in ns, only a few are kept. */
const spacing = 50e6;

/**
 * The relation between the clocks in one stretch, as lines between knots; undefined if only the order of events is
 * known.
 *
 * The best guess at a knot is the middle of all lines through the samples around it. The bound also holds if one jump,
 * too small to be seen, is near. Each moment between two knots is either before the jump, so that the samples up to the
 * first knot count, or after it, so that those from the second knot on count; the bound covers both. A jump leaves the
 * rate as it was, so the rate on one side limits the rate on the other.
 */
export function courseOf(stretch: Stretch, group: number, limits: Limits): Course | undefined {
  const { frame } = stretch;
  const points = thinned(stretch.points);
  const knots = knotsOf(points);
  if (knots.length === 0) return undefined;
  const lines = new Lines(points, knots, limits);
  const last = knots.length - 1;
  const xs = knots.map((index) => points[index]!.x);
  const centres = knots.map((_, knot) => lines.around(knot));
  const guesses = centres.map(({ value }) => middle(value));
  const segments: Segment[] = [];
  for (let knot = 0; knot < last; knot++) {
    const [xFrom, xTo] = [xs[knot]!, xs[knot + 1]!];
    const [guessFrom, guessTo] = [guesses[knot]!, guesses[knot + 1]!];
    const [from, to] = [lines.between(knot, xFrom), lines.between(knot, xTo)];
    segments.push({
      guestFrom: frame.guestAt(xFrom),
      guestTo: frame.guestAt(xTo),
      hostFrom: frame.hostAt(xFrom, guessFrom),
      hostTo: frame.hostAt(xTo, guessTo),
      boundFrom: farthest(from.value, guessFrom) + roundingNs,
      boundTo: farthest(to.value, guessTo) + roundingNs,
      rates: hull(from.rate, to.rate),
      group,
    });
  }
  const endAt = (knot: number, { value, rate }: LineRange): End => {
    const guess = guesses[knot]!;
    const slope = middle(centres[knot]!.rate);
    return {
      guest: frame.guestAt(xs[knot]!),
      host: frame.hostAt(xs[knot]!, guess),
      bound: farthest(value, guess) + roundingNs,
      rate: slope,
      growth: farthest(rate, slope) + limits.wander,
    };
  };
  return {
    segments,
    head: endAt(0, lines.between(-1, xs[0]!)),
    tail: endAt(last, lines.between(last, xs[last]!)),
  };
}

/** Of points that are close together, keeps the tightest: by lower end, by upper end, and by width. */
function thinned(points: readonly Point[]): Point[] {
  const kept: Point[] = [];
  let from = 0;
  while (from < points.length) {
    const chosen = new Set<Point>();
    let [lowest, highest, narrowest]: (Point | undefined)[] = [];
    let to = from;
    for (; to < points.length && points[to]!.x - points[from]!.x <= spacing; to++) {
      const point = points[to]!;
      if (point.to > point.from) chosen.add(point);
      else {
        if (lowest === undefined || point.high < lowest.high) lowest = point;
        if (highest === undefined || point.low > highest.low) highest = point;
        if (narrowest === undefined || point.high - point.low < narrowest.high - narrowest.low)
          narrowest = point;
      }
    }
    for (const point of [lowest, highest, narrowest]) if (point !== undefined) chosen.add(point);
    for (let index = from; index < to; index++) if (chosen.has(points[index]!)) kept.push(points[index]!);
    from = to;
  }
  return kept;
}

/** Indices of the points that are knots: those with both bounds, the first of each `x`. */
function knotsOf(points: readonly Point[]): number[] {
  const knots: number[] = [];
  for (const [index, { x, low, high }] of points.entries()) {
    const before = knots.at(-1);
    if (!Number.isFinite(low) || !Number.isFinite(high)) continue;
    if (before === undefined || x > points[before]!.x) knots.push(index);
  }
  return knots;
}

/** How many knots away the jump may be: at least the first number and less than the second. */
const distances = [
  [0, 1],
  [1, 2],
  [2, 4],
  [4, 8],
  [8, 16],
  [16, 32],
  [32, Infinity],
] as const;

class Lines {
  readonly #points: readonly Point[];
  readonly #limits: Limits;
  /** Indices of points. */
  readonly #knots: readonly number[];
  readonly #all: Range;
  /** Rates of the lines through the points up to each knot, and from it on. */
  readonly #ratesBefore: readonly Range[];
  readonly #ratesAfter: readonly Range[];

  constructor(points: readonly Point[], knots: readonly number[], limits: Limits) {
    this.#points = points;
    this.#knots = knots;
    this.#limits = limits;
    this.#all = { low: -limits.mostRate, high: limits.mostRate };
    this.#ratesBefore = knots.map(
      (_, knot) => this.#before(knot, this.#x(knot), this.#all)?.rate ?? this.#all,
    );
    this.#ratesAfter = knots.map((_, knot) => this.#after(knot, this.#x(knot), this.#all)?.rate ?? this.#all);
  }

  /** Lines through the points on both sides of a knot. */
  around(knot: number): LineRange {
    const index = this.#knots[knot]!;
    for (let count = reach; count >= 1; count = Math.floor(count / 2)) {
      const line = this.#through({ first: index + 1 - count, end: index + count }, this.#x(knot), this.#all);
      if (line !== undefined) return line;
    }
    const { low, high } = this.#points[index]!;
    return { value: { low, high }, rate: this.#all };
  }

  /**
   * What is known at `x`, between a knot and the next one, if there may be one jump at any moment. Knot −1 stands for
   * the time before the first knot.
   */
  between(knot: number, x: number): LineRange {
    const found: LineRange[] = [];
    const last = this.#knots.length - 1;
    for (const [near, far] of distances) {
      // the jump comes later: all points before it hold
      const until = knot + near;
      if (until >= 0 && until <= last)
        add(found, this.#before(until, x, this.#ratesAfter[knot + far] ?? this.#all));
      // the jump came before
      const since = knot + 1 - near;
      if (since >= 0 && since <= last)
        add(found, this.#after(since, x, this.#ratesBefore[knot + 1 - far] ?? this.#all));
    }
    const [first, ...rest] = found;
    if (first === undefined) return this.around(Math.max(0, knot));
    return rest.reduce((a, b) => ({ value: hull(a.value, b.value), rate: hull(a.rate, b.rate) }), first);
  }

  #before(knot: number, x: number, rates: Range): LineRange | undefined {
    const index = this.#knots[knot]!;
    const choice = { first: index + 1 - reach, end: index + 1, until: this.#x(knot) };
    return this.#known(this.#through(choice, x, rates), knot, x, rates);
  }

  #after(knot: number, x: number, rates: Range): LineRange | undefined {
    const index = this.#knots[knot]!;
    const choice = { first: index, end: index + reach, since: this.#x(knot) };
    return this.#known(this.#through(choice, x, rates), knot, x, rates);
  }

  /** If the chosen points do not limit the line, uses the knot's own point instead. */
  #known(line: LineRange | undefined, knot: number, x: number, rates: Range): LineRange | undefined {
    if (line === undefined || (Number.isFinite(line.value.low) && Number.isFinite(line.value.high)))
      return line;
    const index = this.#knots[knot]!;
    return this.#through({ first: index, end: index + 1 }, x, rates);
  }

  #x(knot: number): number {
    return this.#points[this.#knots[knot]!]!.x;
  }

  #through(choice: Choice, x: number, rates: Range): LineRange | undefined {
    const within = {
      ...choice,
      first: Math.max(0, choice.first),
      end: Math.min(this.#points.length, choice.end),
    };
    return lineRange(this.#points, within, x, this.#limits.wander, rates);
  }
}

function add(lines: LineRange[], line: LineRange | undefined): void {
  if (line !== undefined) lines.push(line);
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
