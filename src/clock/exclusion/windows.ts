import { type ClockMap } from '../map/clock-map.ts';
import type { Range } from '../map/line-range.ts';
import { extentOf } from './grouped.ts';
import type { LeastExcluded } from './least-excluded.ts';
import { MapCursor } from '../map/map-cursor.ts';
import type { Sample } from '../map/observations.ts';

/** What the off-stretches of one window say about the difference host − guest of the clocks. */
export interface WindowSample {
  readonly sample: Sample;
  /** The group of pings that the window belongs to. */
  readonly group: number;
}

/** Ranges of all windows, and how they agree with the map by which the events were chosen. */
export interface Windows {
  readonly samples: readonly WindowSample[];
  /**
   * Of each window that says something, in order: whether a range was found inside the bounds of that map. If not, the
   * true difference may be outside.
   */
  readonly inside: readonly boolean[];
}

/**
 * Longest and shortest window, in ns. In between, the less is known about the rate, the shorter the window: an event
 * may be misplaced by at most `blurNs`.
 */
const longest = 1e9;
const briefest = 40e6;
const blurNs = 15_000;
const mostStretches = 250;
/** Minimum number of stretches in a window: fewer say nothing. */
const fewest = 8;
/** Largest error of the timestamps themselves, in ns. */
const resolutionNs = 1000;

/**
 * Divides the events of an exclusion into windows and gives each one's range of host − guest.
 *
 * @param hard the map by which the events were chosen; all ranges lie within its bounds
 * @param known the best map so far, for the rate within a window
 */
export function windowsOf(least: LeastExcluded, hard: ClockMap, known: ClockMap, wander: number): Windows {
  const { exclusion, grouped } = least;
  const { guestOrigin, hostOrigin } = exclusion;
  const hardAt = new MapCursor(hard, guestOrigin, hostOrigin);
  const knownAt = new MapCursor(known, guestOrigin, hostOrigin);
  const found: WindowSample[] = [];
  const inside: boolean[] = [];
  let verdict: boolean | undefined;
  const { order, first } = grouped;

  const evaluate = (from: number, to: number, group: number): void => {
    if (to - from < fewest) return;
    const extent = extentOf(grouped, from, to);
    const x = (extent.low + extent.high) / 2;
    hardAt.seek(x);
    const band = { low: hardAt.host - x - hardAt.bound, high: hardAt.host - x + hardAt.bound };
    const rates = ratesAt(known, knownAt, x);
    const result = least.find(from, to, { x, band, rates, wander });
    if (result === undefined) return;
    verdict = verdict === true || (!result.contradictory && result.low > band.low && result.high < band.high);
    if (result.contradictory) {
      // perhaps the clock jumped inside the window: its halves may be good
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
        violations: result.violations,
      },
      group,
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
    verdict = undefined;
    if (group >= 0) evaluate(from, to, group);
    if (verdict !== undefined) inside.push(verdict);
    from = to;
  }
  return { samples: found, inside };
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
