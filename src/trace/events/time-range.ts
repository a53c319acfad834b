import { PageCursor } from '../ring/page-cursor.ts';
import type { PageLayout } from '../ring/page-layout.ts';
import type { PageSteps, SourceCpu } from '../source/source.ts';

/** How to read the events from a time on. */
export interface ReadingPlan {
  /** The step to begin at. */
  readonly step: number;
  /** Whether the pages are in order of time, so that pages outside the range need not be read. */
  readonly inOrder: boolean;
}

/** Number of steps to look at: spread over the data, and just before the step to begin at. */
const spreadProbes = 64;
const nearProbes = 32;
/** Steps without events in a row before the search gives up. */
const maxEmptySteps = 64;

/**
 * Finds where to begin reading a CPU's events from the time `from` on, by looking at some pages. A page's time is that
 * of its first event. If the pages are in order of time, all pages before the last one that begins before `from` are
 * too early as a whole. They are not in order if the clock stepped back, or if one file has the pages of several CPUs;
 * then everything has to be read. Whether they are in order is judged by the pages looked at: those of the search,
 * those just before its result, and some spread over the data, or all if there are at most `spreadProbes` steps. So a
 * single small step back in a long trace may go unseen; then some events around it may be missed, because their times
 * occur twice. Blocks. Throws Failure.
 */
export function planReading(cpu: SourceCpu, layout: PageLayout, from: bigint | undefined): ReadingPlan {
  const probes = new Probes(cpu.steps(), layout);
  const { count } = probes;
  const unordered = { step: 0, inOrder: false };
  if (count === 0 || !probes.inOrder(spread(count))) return unordered;
  if (from === undefined) return { step: 0, inOrder: true };
  let early = 0;
  let late = count;
  while (late - early > 1) {
    const middle = early + Math.floor((late - early) / 2);
    const found = probes.nextWithEvents(middle, late);
    if (found === undefined) late = middle;
    else if (found === 'far') return unordered;
    else if (found.times.begin < from) early = found.step;
    else late = middle;
  }
  const near = Array.from({ length: Math.min(nearProbes, early + 1) }, (_, back) => early - back);
  return probes.inOrder(near) ? { step: early, inOrder: true } : unordered;
}

/** Times of a CPU's first and last event, in the order of its pages; undefined if it has none. */
export function firstAndLast(cpu: SourceCpu, layout: PageLayout): Times | undefined {
  const probes = new Probes(cpu.steps(), layout);
  for (let step = 0; step < probes.count; step++) {
    const first = probes.read(step);
    if (first === undefined) continue;
    for (let step = probes.count - 1; ; step--) {
      const last = probes.read(step);
      if (last !== undefined) return { first: first.first, last: last.last };
    }
  }
  return undefined;
}

export interface Times {
  readonly first: bigint;
  readonly last: bigint;
}

interface StepTimes extends Times {
  /** Timestamp of the first page; never later than that of the page's first event. */
  readonly begin: bigint;
  /** Whether the step's pages are in time order. */
  readonly inOrder: boolean;
}

function spread(count: number): number[] {
  const probes = Math.min(count, spreadProbes);
  if (probes < 2) return [0];
  return Array.from({ length: probes }, (_, index) => Math.floor((index * (count - 1)) / (probes - 1)));
}

/** Times of steps, each read once. */
class Probes {
  readonly #steps: PageSteps;
  readonly #layout: PageLayout;
  readonly #cursor: PageCursor;
  readonly #known = new Map<number, StepTimes | undefined>();

  constructor(steps: PageSteps, layout: PageLayout) {
    this.#steps = steps;
    this.#layout = layout;
    this.#cursor = new PageCursor(layout);
  }

  get count(): number {
    return this.#steps.count;
  }

  /** The times of a step; undefined if it has no events that can be read. */
  at(step: number): StepTimes | undefined {
    if (this.#known.has(step)) return this.#known.get(step);
    const times = this.read(step);
    this.#known.set(step, times);
    return times;
  }

  /** Whether these steps, and all looked at so far, are in time order. */
  inOrder(steps: readonly number[]): boolean {
    for (const step of steps) this.at(step);
    let before: bigint | undefined;
    for (const step of [...this.#known.keys()].sort((a, b) => a - b)) {
      const times = this.#known.get(step);
      if (times === undefined) continue;
      if (!times.inOrder || (before !== undefined && times.begin < before)) return false;
      before = times.begin;
    }
    return true;
  }

  /** The first step from `step` on, before `end`, that has events; 'far' if too many have none. */
  nextWithEvents(
    step: number,
    end: number,
  ): { readonly step: number; readonly times: StepTimes } | 'far' | undefined {
    for (let next = step; next < end; next++) {
      const times = this.at(next);
      if (times !== undefined) return { step: next, times };
      if (next - step >= maxEmptySteps) return 'far';
    }
    return undefined;
  }

  /** Like `at`, but does not keep the result. */
  read(step: number): StepTimes | undefined {
    const bytes = this.#steps.read(step);
    const cursor = this.#cursor;
    const { pageBytes } = this.#layout;
    let times: StepTimes | undefined;
    for (let at = 0; at + pageBytes <= bytes.length; at += pageBytes) {
      cursor.load(bytes.subarray(at, at + pageBytes));
      const begin = cursor.header?.timestamp;
      let first: bigint | undefined;
      let last = 0n;
      while (cursor.next()) {
        if (cursor.kind !== 'data') continue;
        last = cursor.timestamp;
        first ??= last;
      }
      if (begin === undefined || first === undefined) continue;
      const inOrder = times === undefined || (times.inOrder && begin >= times.last);
      times = { begin: times?.begin ?? begin, first: times?.first ?? first, last, inOrder };
    }
    return times;
  }
}
