import type { Range } from '../map/line-range.ts';
import type { Grouped } from './grouped.ts';
import type { Exclusion } from './pairs.ts';

export interface WindowAt {
  /** The window's position: differences are taken at this guest time. */
  readonly x: number;
  /** Differences that are possible at all. */
  readonly band: Range;
  /** Possible rates of host − guest. */
  readonly rates: Range;
  readonly wander: number;
}

export interface Found extends Range {
  /** Stretches that exclude the best difference. */
  readonly violations: number;
  /** Whether there are too many violations to trust the window. */
  readonly contradictory: boolean;
}

/**
 * Let n be the number of stretches that exclude the best difference: up to n + `spare` may exclude the true one. Some
 * stretches are false, because the switches between their two ends were not recorded.
 */
const spare = 3;
const sparePart = 1 / 50;
/** If more than this part of all stretches excludes even the best difference, the events do not belong to them. */
const contradictoryPart = 1 / 10;

/**
 * Finds the differences that the fewest off-stretches exclude. Use one object for many windows: it reuses its memory.
 */
export class LeastExcluded {
  readonly exclusion: Exclusion;
  readonly grouped: Grouped;
  /** Lower and upper ends of the ranges of differences that stretches exclude. */
  #opening = new Float64Array(1024);
  #closing = new Float64Array(1024);
  #count = 0;

  constructor(exclusion: Exclusion, grouped: Grouped) {
    this.exclusion = exclusion;
    this.grouped = grouped;
  }

  /**
   * The differences host − guest that the fewest of these off-stretches exclude, with a margin. An off-stretch excludes
   * a difference if an event, moved by the difference, would lie inside the stretch. Undefined if nothing in the band
   * is excluded.
   */
  find(first: number, end: number, window: WindowAt): Found | undefined {
    this.#count = 0;
    let counting = 0;
    for (let i = first; i < end; i++) {
      const before = this.#count;
      this.#exclude(this.grouped.order[i]!, window);
      if (this.#count > before) counting++;
    }
    if (counting === 0) return undefined;
    const opening = this.#opening.subarray(0, this.#count).sort();
    const closing = this.#closing.subarray(0, this.#count).sort();
    return sweep(opening, closing, window.band, counting, this.#allOf(first, end));
  }

  /**
   * The number of stretches in a window: for each vCPU, those from the first to the last one that has an event. Those
   * without an event count too: a false stretch has events inside, so false ones would be far too frequent among only
   * those with an event.
   */
  #allOf(first: number, end: number): number {
    const { numberOf, every } = this.exclusion;
    const from = numberOf.map(() => Infinity);
    const to = numberOf.map(() => -Infinity);
    for (let i = first; i < end; i++) {
      const number = this.grouped.order[i]!;
      const vcpu = this.#vcpuOf(number);
      from[vcpu] = Math.min(from[vcpu]!, number);
      to[vcpu] = Math.max(to[vcpu]!, number);
    }
    return from.reduce((sum, number, vcpu) => sum + Math.max(0, to[vcpu]! - number + 1), 0) / every;
  }

  #vcpuOf(number: number): number {
    const { numberOf } = this.exclusion;
    let vcpu = numberOf.length - 1;
    while (numberOf[vcpu]! > number) vcpu--;
    return vcpu;
  }

  /** What one stretch excludes, as ranges that do not overlap: the stretch counts once, however many events it has. */
  #exclude(number: number, { x, band, rates, wander }: WindowAt): void {
    const { vcpus, numberOf } = this.exclusion;
    const { starts, times } = this.grouped;
    const vcpu = this.#vcpuOf(number);
    const off = vcpus[vcpu]!;
    const from = off.from[number - numberOf[vcpu]!]!;
    const to = off.to[number - numberOf[vcpu]!]!;
    const rate = (rates.low + rates.high) / 2;
    const unsure = (rates.high - rates.low) / 2 + wander;
    let low = Infinity;
    let high = -Infinity;
    for (let at = starts[number]!; at < starts[number + 1]!; at++) {
      const time = times[at]!;
      const dx = time - x;
      const blur = unsure * Math.abs(dx);
      const nextLow = from - time - rate * dx + blur;
      const nextHigh = to - time - rate * dx - blur;
      if (nextLow >= nextHigh) continue;
      if (nextHigh >= low && nextLow <= high) {
        if (nextLow < low) low = nextLow;
        if (nextHigh > high) high = nextHigh;
      } else {
        this.#put(low, high, band);
        low = nextLow;
        high = nextHigh;
      }
    }
    this.#put(low, high, band);
  }

  #put(low: number, high: number, band: Range): void {
    const [from, to] = [Math.max(low, band.low), Math.min(high, band.high)];
    if (from >= to) return;
    if (this.#count === this.#opening.length) {
      this.#opening = grown(this.#opening);
      this.#closing = grown(this.#closing);
    }
    this.#opening[this.#count] = from;
    this.#closing[this.#count] = to;
    this.#count++;
  }
}

function grown(array: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(array.length * 2);
  larger.set(array);
  return larger;
}

function sweep(
  opening: Float64Array,
  closing: Float64Array,
  band: Range,
  counting: number,
  all: number,
): Found | undefined {
  let least = Infinity;
  cells(opening, closing, band, (_low, _high, excluding) => {
    if (excluding < least) least = excluding;
  });
  if (least > spare + counting * contradictoryPart)
    return { ...band, violations: least, contradictory: true };
  const threshold = least + Math.max(least, spare + Math.ceil(all * sparePart));
  let low = Infinity;
  let high = -Infinity;
  cells(opening, closing, band, (from, to, excluding) => {
    if (excluding > threshold) return;
    if (from < low) low = from;
    if (to > high) high = to;
  });
  if (low <= band.low && high >= band.high) return undefined;
  return { low, high, violations: least, contradictory: false };
}

/**
 * Calls `each` for every part of the band between ends of excluded ranges, with the number of ranges that exclude it.
 * Ranges are open.
 */
function cells(
  opening: Float64Array,
  closing: Float64Array,
  band: Range,
  each: (low: number, high: number, excluding: number) => void,
): void {
  let at = band.low;
  let excluding = 0;
  let opened = 0;
  let closed = 0;
  while (closed < closing.length) {
    const opens = opened < opening.length && opening[opened]! < closing[closed]!;
    const next = opens ? opening[opened]! : closing[closed]!;
    // a single point between two ranges counts, but the ends of the band do not: ranges are clipped there
    if (next > at || (next > band.low && next < band.high)) each(at, next, excluding);
    at = next;
    if (opens) {
      opened++;
      excluding++;
    } else {
      closed++;
      excluding--;
    }
  }
  if (at < band.high) each(at, band.high, excluding);
}
