import type { Exclusion } from './pairs.ts';
import type { Range } from '../map/line-range.ts';
import type { Grouped } from './windows.ts';

export interface WindowAt {
  /** The window's place: differences are those at this guest time. */
  readonly x: number;
  /** Differences that are possible at all. */
  readonly band: Range;
  /** What the rate of host − guest may be. */
  readonly rates: Range;
  readonly wander: number;
}

export interface LeastExcluded extends Range {
  /** Stretches that exclude the best difference. */
  readonly violations: number;
  /** So many that the window cannot be trusted. */
  readonly contradictory: boolean;
}

/**
 * So many stretches more than at the best difference may exclude the true one: some are not off, because both of their
 * ends belong to different switches and none of those between was recorded.
 */
const spare = 3;
const sparePart = 1 / 50;
/** If this part of all stretches excludes the best difference too, the events do not belong to these stretches. */
const contradictoryPart = 1 / 10;

/**
 * The differences host − guest that fewest off-stretches exclude, with a margin. An off-stretch excludes a difference
 * if an event, moved by it, would lie inside. Undefined if nothing in the band is excluded.
 */
export function leastExcluded(
  { vcpus, numberOf }: Exclusion,
  { order, starts, times }: Grouped,
  [first, end]: readonly [number, number],
  { x, band, rates, wander }: WindowAt,
): LeastExcluded | undefined {
  const opening: number[] = [];
  const closing: number[] = [];
  const rate = (rates.low + rates.high) / 2;
  const unsure = (rates.high - rates.low) / 2 + wander;
  let counting = 0;
  for (let i = first; i < end; i++) {
    const number = order[i]!;
    let vcpu = numberOf.length - 1;
    while (numberOf[vcpu]! > number) vcpu--;
    const off = vcpus[vcpu]!;
    const from = off.from[number - numberOf[vcpu]!]!;
    const to = off.to[number - numberOf[vcpu]!]!;
    // what one stretch excludes is counted once, however many events say so
    let low = Infinity;
    let high = -Infinity;
    const before = opening.length;
    const put = (): void => {
      const [clippedLow, clippedHigh] = [Math.max(low, band.low), Math.min(high, band.high)];
      if (clippedLow >= clippedHigh) return;
      opening.push(clippedLow);
      closing.push(clippedHigh);
    };
    for (let at = starts[number]!; at < starts[number + 1]!; at++) {
      const time = times[at]!;
      const dx = time - x;
      const blur = unsure * Math.abs(dx);
      const nextLow = from - time - rate * dx + blur;
      const nextHigh = to - time - rate * dx - blur;
      if (nextLow >= nextHigh) continue;
      if (nextHigh >= low && nextLow <= high) {
        low = Math.min(low, nextLow);
        high = Math.max(high, nextHigh);
      } else {
        put();
        low = nextLow;
        high = nextHigh;
      }
    }
    put();
    if (opening.length > before) counting++;
  }
  if (counting === 0) return undefined;
  return sweep(Float64Array.from(opening).sort(), Float64Array.from(closing).sort(), band, counting);
}

function sweep(opening: Float64Array, closing: Float64Array, band: Range, counting: number): LeastExcluded | undefined {
  let least = Infinity;
  cells(opening, closing, band, (_low, _high, excluding) => {
    if (excluding < least) least = excluding;
  });
  if (least > spare + counting * contradictoryPart) return { ...band, violations: least, contradictory: true };
  const threshold = least + Math.max(least, spare + Math.ceil(counting * sparePart));
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

/** Calls back for each part of the band between ends of excluded ranges, with how many exclude it. Ranges are open. */
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
    // a point between two ranges counts, but not the ends of the band, at which ranges are clipped
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
