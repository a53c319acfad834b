import { type ClockMap } from '../map/clock-map.ts';
import type { Exclusion } from './pairs.ts';
import type { Range } from '../map/line-range.ts';
import { leastExcluded } from './least-excluded.ts';
import { MapCursor } from '../map/map-cursor.ts';
import type { Sample } from '../map/observations.ts';

/** What the off-stretches of some time say of host − guest. */
export interface WindowSample {
  readonly sample: Sample;
  /** Which group of pings it belongs to. */
  readonly group: number;
  /** Off-stretches in which events would have happened at the best difference, which cannot be. */
  readonly violations: number;
}

/** A window is at most so long, and shorter the less is known of the rate: an event's place may be wrong by `blur`. */
const longest = 1e9;
const briefest = 40e6;
const blurNs = 15_000;
const mostStretches = 1000;
/** Fewer say nothing. */
const fewest = 8;
/** What the stamps themselves may be wrong by. */
const resolutionNs = 1000;

/**
 * Divides the events of an exclusion into windows and gives each one's range of host − guest.
 *
 * @param hard the map by which the events were chosen: no range leaves its bounds
 * @param known the best map so far, for the rate within a window
 */
export function windowsOf(exclusion: Exclusion, hard: ClockMap, known: ClockMap, wander: number): WindowSample[] {
  const { guestOrigin, hostOrigin } = exclusion;
  const hardAt = new MapCursor(hard, guestOrigin, hostOrigin);
  const knownAt = new MapCursor(known, guestOrigin, hostOrigin);
  const grouped = groupPairs(exclusion);
  const found: WindowSample[] = [];
  const { order, first } = grouped;

  const evaluate = (from: number, to: number, group: number): void => {
    if (to - from < fewest) return;
    const extent = extentOf(grouped, from, to);
    const x = (extent.low + extent.high) / 2;
    hardAt.seek(x);
    const band = { low: hardAt.host - x - hardAt.bound, high: hardAt.host - x + hardAt.bound };
    const rates = ratesAt(known, knownAt, x);
    const result = leastExcluded(exclusion, grouped, [from, to], { x, band, rates, wander });
    if (result === undefined) return;
    if (result.contradictory) {
      // something happened in its middle: its halves may be good
      if (to - from >= 4 * fewest) {
        const middle = (from + to) >>> 1;
        evaluate(from, middle, group);
        evaluate(middle, to, group);
      }
      return;
    }
    const guest = guestOrigin + BigInt(Math.round(x));
    const base = hostOrigin - guestOrigin;
    found.push({
      sample: {
        guest,
        low: base + BigInt(Math.floor(result.low) - resolutionNs),
        high: base + BigInt(Math.ceil(result.high) + resolutionNs),
        reachNs: Math.ceil(extent.high - x),
        method: 'exclusion',
      },
      group,
      violations: result.violations,
    });
  };

  let from = 0;
  while (from < order.length) {
    const start = first[order[from]!]!;
    const group = groupAt(hard, hardAt, start);
    const { low, high } = ratesAt(known, knownAt, start);
    const length = Math.min(longest, Math.max(briefest, (2 * blurNs) / ((high - low) / 2 + wander)));
    let to = from + 1;
    while (
      to < order.length &&
      to - from < mostStretches &&
      first[order[to]!]! - start <= length &&
      groupAt(hard, hardAt, first[order[to]!]!) === group
    )
      to++;
    if (group >= 0) evaluate(from, to, group);
    from = to;
  }
  return found;
}

/** The times of the first and the last event of some stretches. */
function extentOf({ order, starts, times }: Grouped, from: number, to: number): Range {
  let low = Infinity;
  let high = -Infinity;
  for (let i = from; i < to; i++) {
    low = Math.min(low, times[starts[order[i]!]!]!);
    high = Math.max(high, times[starts[order[i]! + 1]! - 1]!);
  }
  return { low, high };
}

function groupAt(map: ClockMap, cursor: MapCursor, x: number): number {
  cursor.seek(x);
  return map.segments[cursor.segment]?.group ?? -1;
}

function ratesAt(map: ClockMap, cursor: MapCursor, x: number): Range {
  cursor.seek(x);
  const rates = map.segments[cursor.segment]?.rates;
  return rates ?? { low: map.tail.rate - map.tail.growth, high: map.tail.rate + map.tail.growth };
}

/** The pairs of each stretch, and the stretches that have any, in the order of their times. */
export interface Grouped {
  /** Numbers of stretches. */
  readonly order: Int32Array;
  /** Time of each stretch's first event. */
  readonly first: Float64Array;
  /** A stretch's events are `times` from `starts` of its number to that of the next one. */
  readonly starts: Int32Array;
  readonly times: Float64Array;
}

function groupPairs({ stretches, pairs, stretch, time, vcpus, numberOf }: Exclusion): Grouped {
  const starts = new Int32Array(stretches + 1);
  for (let i = 0; i < pairs; i++) starts[stretch[i]! + 1]! += 1;
  for (let number = 0; number < stretches; number++) starts[number + 1]! += starts[number]!;
  const next = starts.slice();
  const times = new Float64Array(pairs);
  for (let i = 0; i < pairs; i++) {
    const number = stretch[i]!;
    times[next[number]!] = time[i]!;
    next[number]! += 1;
  }
  const first = new Float64Array(stretches);
  let used = 0;
  for (let number = 0; number < stretches; number++) {
    if (starts[number] === starts[number + 1]) continue;
    first[number] = times[starts[number]!]!;
    used++;
  }
  return { order: merged(used, starts, first, vcpus.map(({ length }, vcpu) => [numberOf[vcpu]!, length])), first, starts, times };
}

/** Merges the vCPUs' stretches, which are in order each. */
function merged(
  used: number,
  starts: Int32Array,
  first: Float64Array,
  vcpus: readonly (readonly [from: number, count: number])[],
): Int32Array {
  const order = new Int32Array(used);
  const at = vcpus.map(([from]) => from);
  const skip = (vcpu: number): void => {
    const end = vcpus[vcpu]![0] + vcpus[vcpu]![1];
    while (at[vcpu]! < end && starts[at[vcpu]!] === starts[at[vcpu]! + 1]) at[vcpu]!++;
    if (at[vcpu]! === end) at[vcpu] = -1;
  };
  for (const vcpu of vcpus.keys()) skip(vcpu);
  for (let i = 0; i < used; i++) {
    let earliest = -1;
    for (let vcpu = 0; vcpu < at.length; vcpu++) {
      if (at[vcpu]! < 0) continue;
      if (earliest < 0 || first[at[vcpu]!]! < first[at[earliest]!]!) earliest = vcpu;
    }
    order[i] = at[earliest]!;
    at[earliest]!++;
    skip(earliest);
  }
  return order;
}
