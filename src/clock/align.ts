import { type ClockPiece, qualityOf } from '../trace/dat/clock-quality.ts';
import type { TimeSpan } from '../trace/open.ts';
import { ClockMap } from './map/clock-map.ts';
import { cut, type Stretch } from './map/cut.ts';
import { groupPairs } from './exclusion/grouped.ts';
import { LeastExcluded } from './exclusion/least-excluded.ts';
import type { Exclusion } from './exclusion/pairs.ts';
import { joined } from './map/jumps.ts';
import {
  beginAfter,
  type Break,
  type ClockLimits,
  endBefore,
  type Limits,
  limitsOf,
  orderSample,
  type OrderedPair,
  pingSample,
  type PingSample,
  type Sample,
} from './map/observations.ts';
import { type Course, courseOf } from './map/segments.ts';
import { type Windows, windowsOf, type WindowSample } from './exclusion/windows.ts';

/** All that is known of the clocks of a host and a guest, in any order. */
export interface Observations {
  readonly pings: readonly PingSample[];
  readonly pairs?: readonly OrderedPair[];
  readonly breaks?: readonly Break[];
  /** The first and the last time of interest, by the guest's clock: the bounds of pieces are about the time in between. */
  readonly span?: TimeSpan;
  readonly limits?: ClockLimits;
}

/**
 * Number of rounds of exclusion. Each round knows the rate more precisely than the one before, and so uses longer
 * windows.
 */
const rounds = 3;

/** With a larger bound, off-stretches that are shorter than some tens of microseconds are not used. */
const wideNs = 1e6;

/** What is the same for all maps of an alignment. */
interface Fixed {
  readonly breaks: readonly Break[];
  readonly span: TimeSpan | undefined;
  readonly limits: Limits;
}

/** Pings with neither a step back of the guest's clock nor a known break between them. */
interface Group {
  readonly hostFrom: bigint;
  readonly hostTo: bigint;
  readonly samples: readonly Sample[];
  readonly violations: number;
}

/**
 * The relation between the clocks of a host and a guest. `map` uses pings and pairs of events; `refined` also uses the
 * events in an `Exclusion` that was made with that map. `of` returns undefined if there is no ping.
 */
export class Alignment {
  readonly map: ClockMap;
  readonly #groups: readonly Group[];
  readonly #fixed: Fixed;

  private constructor(map: ClockMap, groups: readonly Group[], fixed: Fixed) {
    this.map = map;
    this.#groups = groups;
    this.#fixed = fixed;
  }

  static of({
    pings,
    pairs = [],
    breaks = [],
    span,
    limits: given = {},
  }: Observations): Alignment | undefined {
    const limits = limitsOf(given);
    const groups = groupsOf(pings, pairs, breaks, limits);
    const fixed = { breaks, span, limits };
    const map = mapOf(groups, fixed);
    return map === undefined ? undefined : new Alignment(map, groups, fixed);
  }

  /**
   * The map, improved by an exclusion, which was made with it, or with what `refined` returned before. Takes time for each
   * pair that the exclusion keeps.
   */
  refined(exclusion: Exclusion): ClockMap {
    let best = exclusion.map;
    const least = leastOf(exclusion);
    for (let round = 0; round < rounds; round++) {
      const { samples } = this.#windows(least, best);
      const windows = byGroup(samples, ({ group }) => group);
      const groups = this.#groups.map((group, index) => withWindows(group, windows.get(index) ?? []));
      best = mapOf(groups, this.#fixed) ?? best;
    }
    return best;
  }

  /**
   * Whether another exclusion, made with the improved map, would say more: by the first one, events could be so far from
   * their true times that only long off-stretches were of use.
   * @param best what `refined` returned
   */
  canImprove(best: ClockMap): boolean {
    const [before, after] = [this.map, best].map(({ pieces }) => qualityOf(pieces).medianBoundNs);
    return before! > wideNs && after! < before! / 4;
  }

  /**
   * Whether an exclusion confirms the pings: at least three of four windows, and one of any two neighbouring ones, have
   * their range inside the pings' bounds. Where the true difference is outside, a window has no range, or one at the edge.
   * @param best what `refined` returned
   */
  isConfirmedBy(exclusion: Exclusion, best: ClockMap): boolean {
    const { inside } = this.#windows(leastOf(exclusion), best);
    const good = inside.filter((each) => each).length;
    const isTwiceBad = inside.some((each, index) => index > 0 && !each && inside[index - 1] === false);
    return good > 0 && good >= 3 * (inside.length - good) && !isTwiceBad;
  }

  #windows(least: LeastExcluded, best: ClockMap): Windows {
    return windowsOf(least, least.exclusion.map, best, this.#fixed.limits.wander);
  }
}

function leastOf(exclusion: Exclusion): LeastExcluded {
  return new LeastExcluded(exclusion, groupPairs(exclusion));
}

function withWindows(group: Group, windows: readonly WindowSample[]): Group {
  return { ...group, samples: inOrder([...group.samples, ...windows.map(({ sample }) => sample)]) };
}

/** Groups pings, in the order of the host's time; then divides each group where its pings contradict one another. */
function groupsOf(
  pings: readonly PingSample[],
  pairs: readonly OrderedPair[],
  breaks: readonly Break[],
  limits: Limits,
): Group[] {
  const usable = pings
    .filter(({ hostBefore, hostAfter }) => hostBefore <= hostAfter)
    // a ping that overlaps a break may have been answered before or after it
    .filter((ping) => breaks.every((pause) => isBefore(ping, pause) !== isAfter(ping, pause)))
    .sort((a, b) => compare(a.hostBefore, b.hostBefore));
  const runs: PingSample[][] = [];
  for (const ping of usable) {
    const run = runs.at(-1);
    const last = run?.at(-1);
    if (run === undefined || last === undefined || isApart(last, ping, breaks)) runs.push([ping]);
    else run.push(ping);
  }
  const groups: Group[] = [];
  for (const run of runs) {
    const hostOf = new Map(run.map((ping) => [ping.guest, ping]));
    for (const { samples, violations } of cut(inOrder(run.map(pingSample)), limits)) {
      const hostFrom = hostOf.get(samples[0]!.guest)!.hostBefore;
      const hostTo = hostOf.get(samples.at(-1)!.guest)!.hostAfter;
      groups.push({ hostFrom, hostTo, samples, violations });
    }
  }
  const pairsOf = byGroup(pairs, ({ host }) => groupAt(groups, host));
  return groups.map((group, index) => {
    const own = (pairsOf.get(index) ?? []).map(orderSample);
    return own.length === 0 ? group : { ...group, samples: inOrder([...group.samples, ...tightest(own)]) };
  });
}

/** Things by the index of their group. */
function byGroup<Thing>(things: readonly Thing[], groupOf: (thing: Thing) => number): Map<number, Thing[]> {
  const found = new Map<number, Thing[]>();
  for (const thing of things) {
    const group = groupOf(thing);
    const own = found.get(group);
    if (own === undefined) found.set(group, [thing]);
    else own.push(thing);
  }
  return found;
}

/** Index of the group within which a host's time lies; −1 for none. */
function groupAt(groups: readonly Group[], host: bigint): number {
  let low = 0;
  let high = groups.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (groups[middle]!.hostFrom <= host) low = middle;
    else high = middle - 1;
  }
  const group = groups[low];
  return group !== undefined && host >= group.hostFrom && host <= group.hostTo ? low : -1;
}

function isApart(last: PingSample, ping: PingSample, breaks: readonly Break[]): boolean {
  if (ping.guest < last.guest && ping.hostBefore >= last.hostAfter) return true;
  return breaks.some((pause) => isBefore(last, pause) && isAfter(ping, pause));
}

/** Whether the guest's clock was surely read before a break. The guest reads no clock while it does not run. */
function isBefore({ hostAfter }: PingSample, pause: Break): boolean {
  return hostAfter <= endBefore(pause);
}

function isAfter({ hostBefore }: PingSample, pause: Break): boolean {
  return hostBefore >= beginAfter(pause);
}

const pairSpacing = 100_000_000n;

/** The pair that limits host − guest most, in each tenth of a second, from below and from above. */
function tightest(samples: readonly Sample[]): Sample[] {
  const best = new Map<string, Sample>();
  for (const sample of samples) {
    const isUpper = sample.low === undefined;
    const key = `${sample.guest / pairSpacing} ${isUpper}`;
    const known = best.get(key);
    const isBetter = known === undefined || (isUpper ? sample.high! < known.high! : sample.low > known.low!);
    if (isBetter) best.set(key, sample);
  }
  return [...best.values()];
}

function mapOf(groups: readonly Group[], { breaks, span, limits }: Fixed): ClockMap | undefined {
  const courses: Course[] = [];
  const pieces: ClockPiece[] = [];
  for (const [index, group] of groups.entries()) {
    let { violations } = group;
    for (const stretch of cut(group.samples, limits)) {
      const course = courseOf(stretch, index, limits);
      if (course === undefined) continue;
      courses.push(course);
      pieces.push(pieceOf(course, stretch, violations, span));
      violations = 0;
    }
  }
  const [first, ...rest] = courses;
  return first === undefined ? undefined : new ClockMap(pieces, joined([first, ...rest], breaks));
}

function pieceOf(
  course: Course,
  { samples, violations }: Stretch,
  more: number,
  span: TimeSpan | undefined,
): ClockPiece {
  const { head, tail } = course;
  const contradicted = samples.reduce((sum, sample) => sum + (sample.violations ?? 0), 0);
  const length = tail.guest - head.guest;
  const drift = tail.host - head.host - length;
  return {
    guestFrom: head.guest,
    guestTo: tail.guest,
    offsetNs: head.host - head.guest,
    ratePpm: length === 0n ? 0 : (Number(drift) / Number(length)) * 1e6,
    ...boundsOf(course, span),
    methods: [...new Set(samples.map(({ method }) => method))],
    // what an earlier alignment gives was not observed now
    samples: samples.filter(({ method }) => method !== 'time-shift').length,
    violations: violations + more + contradicted,
  };
}

/** The largest bound and the one that holds for half of the time, within a span if it is given and not elsewhere. */
function boundsOf(
  { segments, head, tail }: Course,
  span: TimeSpan | undefined,
): Pick<ClockPiece, 'boundNs' | 'medianBoundNs'> {
  const first = span?.first ?? head.guest;
  const last = span?.last ?? tail.guest;
  if (last < head.guest || first > tail.guest) return boundsOf({ segments, head, tail }, undefined);
  const parts = segments.map(({ guestFrom, guestTo, boundFrom, boundTo }) => {
    const from = first > guestFrom ? first : guestFrom;
    const to = last < guestTo ? last : guestTo;
    const growth = (boundTo - boundFrom) / Math.max(1, Number(guestTo - guestFrom));
    const boundAt = (time: bigint): number => boundFrom + growth * Number(time - guestFrom);
    return { ns: Number(to - from), bound: Math.max(boundAt(from), boundAt(to)) };
  });
  const within = parts.filter(({ ns }) => ns > 0).sort((a, b) => a.bound - b.bound);
  const ends = [...(first <= head.guest ? [head.bound] : []), ...(last >= tail.guest ? [tail.bound] : [])];
  const worst = Math.max(within.at(-1)?.bound ?? 0, ...ends);
  const boundNs = worst > 0 ? worst : Math.max(head.bound, tail.bound);
  let left = within.reduce((sum, { ns }) => sum + ns, 0) / 2;
  return { boundNs, medianBoundNs: within.find(({ ns }) => (left -= ns) <= 0)?.bound ?? boundNs };
}

function inOrder(samples: readonly Sample[]): Sample[] {
  return [...samples].sort((a, b) => compare(a.guest, b.guest));
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
