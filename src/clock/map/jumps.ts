import { beyond, within, type HostTime } from './clock-map.ts';
import type { Range } from './line-range.ts';
import type { Break } from './observations.ts';
import type { Course, End, Segment } from './segments.ts';

/**
 * Joins the courses of stretches, which are in the order of the host's time. Between two of them the clock jumped at
 * some moment; the bound there holds whenever that was.
 */
export function joined(courses: readonly [Course, ...Course[]], breaks: readonly Break[]): Course {
  const [start, ...rest] = courses;
  let all: Growing = { ...start, segments: [...start.segments] };
  const before = beyondBreaks(
    all.head,
    breaks.filter((pause) => mayBeBefore(pause, all.head)),
    -1,
  );
  if (before !== undefined) all = behind({ ...before, segments: [] }, all, breaks);
  for (const next of rest)
    all = next.head.guest > all.tail.guest ? behind(all, next, breaks) : wentBack(all, next);
  const after = beyondBreaks(
    all.tail,
    breaks.filter((pause) => mayBeAfter(pause, all.tail)),
    1,
  );
  return after === undefined ? all : behind(all, after, breaks);
}

/** Whether a break may be before the observation at an end. */
function mayBeBefore({ hostFrom, pausedFrom }: Break, { host, bound }: End): boolean {
  return hostFrom < host && (pausedFrom === undefined || pausedFrom <= host + BigInt(Math.ceil(bound)));
}

function mayBeAfter({ hostTo, pausedTo }: Break, { host, bound }: End): boolean {
  return hostTo > host && (pausedTo === undefined || pausedTo >= host - BigInt(Math.ceil(bound)));
}

/** A course to which others are appended in place: copying all segments each time would be slow. */
interface Growing extends Course {
  readonly segments: Segment[];
}

/**
 * The relation beyond breaks, where nothing was observed. During the breaks host − guest grew by at most their length.
 */
function beyondBreaks(end: End, breaks: readonly Break[], direction: 1 | -1): Course | undefined {
  const edges = breaks.map(({ hostFrom, hostTo }) => (direction > 0 ? hostTo : hostFrom));
  const edge = direction > 0 ? greatest(edges) : least(edges);
  if (edge === undefined) return undefined;
  const guest = end.guest + edge - end.host;
  const half = breaks.reduce((sum, { hostFrom, hostTo }) => sum + hostTo - hostFrom, 0n) / 2n + 1n;
  const { ns, boundNs } = beyond(end, guest);
  const across = {
    ...end,
    guest,
    host: direction > 0 ? ns + half : ns - half,
    bound: boundNs + Number(half),
  };
  return { segments: [], head: across, tail: across };
}

function behind(before: Growing, after: Course, breaks: readonly Break[]): Growing {
  const from = before.tail;
  const to = after.head;
  const known = breaks.filter((pause) => mayBeBefore(pause, to) && mayBeAfter(pause, from));
  // times surely before the breaks belong to the stretch before, times surely after them to the stretch after
  const firstFrom = least(known.map(({ hostFrom }) => hostFrom));
  const lastTo = greatest(known.map(({ hostTo }) => hostTo));
  // The end of a single pause is known by both relations: what comes before it by one that holds after it came before
  // the pause, because the guest's clock stood still meanwhile.
  const { pausedFrom, pausedTo } = known.length === 1 ? known[0]! : {};
  const last = highest(
    firstFrom === undefined ? from.guest : surelyBefore(from, from.guest, to.guest, firstFrom),
    pausedTo === undefined ? from.guest : surelyBefore(to, from.guest, to.guest, pausedTo),
  );
  const first = lowest(
    lastTo === undefined ? to.guest : surelyAfter(to, from.guest, to.guest, lastTo),
    pausedFrom === undefined ? to.guest : surelyAfter(from, from.guest, to.guest, pausedFrom),
  );
  const jumpFrom = last < first ? last : from.guest;
  const jumpTo = last < first ? first : to.guest;
  const { segments } = before;
  segments.push(...continued(from, from.guest, jumpFrom, segments.at(-1)));
  const start = both(beyond(from, jumpFrom), beyond(to, jumpFrom));
  const end = both(beyond(from, jumpTo), beyond(to, jumpTo));
  segments.push(jump([jumpFrom, start], [jumpTo, end], ratesOf(from, to)));
  segments.push(...continued(to, jumpTo, to.guest, after.segments[0]));
  for (const segment of after.segments) segments.push(segment);
  return { head: before.head, tail: after.tail, segments };
}

function least(times: readonly bigint[]): bigint | undefined {
  return times.length === 0 ? undefined : times.reduce((a, b) => (a < b ? a : b));
}

function greatest(times: readonly bigint[]): bigint | undefined {
  return times.length === 0 ? undefined : times.reduce((a, b) => (a > b ? a : b));
}

function highest(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

function lowest(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

/** The last guest time between two others that an end puts surely before the host's time `until`; else the first. */
function surelyBefore(end: End, from: bigint, to: bigint, until: bigint): bigint {
  return lastWhere(from, to, (guest) => {
    const { ns, boundNs } = beyond(end, guest);
    return ns + BigInt(boundNs) <= until;
  });
}

/** The first guest time between two others that an end puts surely after the host's time `since`; else the last. */
function surelyAfter(end: End, from: bigint, to: bigint, since: bigint): bigint {
  const back = lastWhere(0n, to - from, (distance) => {
    const { ns, boundNs } = beyond(end, to - distance);
    return ns - BigInt(boundNs) >= since;
  });
  return to - back;
}

/**
 * The last number for which `holds` returns true; `from` if there is none. It must be true from `from` up to some
 * number.
 */
function lastWhere(from: bigint, to: bigint, holds: (at: bigint) => boolean): bigint {
  let low = from;
  let high = to;
  while (low < high) {
    const middle = (low + high + 1n) >> 1n;
    if (holds(middle)) low = middle;
    else high = middle - 1n;
  }
  return low;
}

function continued(end: End, from: bigint, to: bigint, like: Segment | undefined): Segment[] {
  if (from === to) return [];
  const [a, b] = [beyond(end, from), beyond(end, to)];
  return [
    {
      guestFrom: from,
      guestTo: to,
      hostFrom: a.ns,
      hostTo: b.ns,
      boundFrom: a.boundNs,
      boundTo: b.boundNs,
      rates: like?.rates ?? ratesOf(end, end),
      group: like?.group ?? -1,
    },
  ];
}

/** A time in which either of two relations may hold: the line midway between them, with a bound that covers both. */
function jump(
  [guestFrom, start]: readonly [bigint, HostTime],
  [guestTo, end]: readonly [bigint, HostTime],
  rates: Range,
): Segment {
  return {
    guestFrom,
    guestTo,
    hostFrom: start.ns,
    hostTo: end.ns,
    boundFrom: start.boundNs,
    boundTo: end.boundNs,
    rates,
    group: -1,
  };
}

function ratesOf(a: End, b: End): Range {
  return {
    low: Math.min(a.rate - a.growth, b.rate - b.growth),
    high: Math.max(a.rate + a.growth, b.rate + b.growth),
  };
}

function both(a: HostTime, b: HostTime): HostTime {
  const lows = [a.ns - BigInt(a.boundNs), b.ns - BigInt(b.boundNs)] as const;
  const highs = [a.ns + BigInt(a.boundNs), b.ns + BigInt(b.boundNs)] as const;
  const low = lows[0] < lows[1] ? lows[0] : lows[1];
  const high = highs[0] > highs[1] ? highs[0] : highs[1];
  return { ns: (low + high) / 2n, boundNs: Math.ceil(Number(high - low) / 2) + 1 };
}

/**
 * The guest's clock went back, as after the restore of a snapshot. A time that it may have had twice can mean either
 * moment: one segment covers all such times.
 */
function wentBack(before: Growing, after: Course): Growing {
  // when it went back is unknown: at some moment between the end of `before` and the beginning of `after`
  const between = after.head.host - before.tail.host;
  const unseen = between + between / 100n;
  const from = after.head.guest - unseen;
  const to = before.tail.guest + unseen;
  const either = both(at(before, from), at(after, to));
  const { segments } = before;
  if (from > before.tail.guest)
    segments.push(...continued(before.tail, before.tail.guest, from, segments.at(-1)));
  while (segments.length > 0 && segments.at(-1)!.guestFrom >= from) segments.pop();
  const cut = segments.pop();
  if (cut !== undefined) segments.push(until(cut, from));
  segments.push(jump([from, either], [to, either], ratesOf(before.tail, after.head)));
  if (to < after.head.guest) segments.push(...continued(after.head, to, after.head.guest, after.segments[0]));
  for (const part of after.segments) if (part.guestTo > to) segments.push(since(part, to));
  return {
    head: from < before.head.guest ? { ...before.head, ...moved(before.head, from) } : before.head,
    tail: to > after.tail.guest ? { ...after.tail, ...moved(after.tail, to) } : after.tail,
    segments,
  };
}

function moved(end: End, guest: bigint): Pick<End, 'guest' | 'host' | 'bound'> {
  const { ns, boundNs } = beyond(end, guest);
  return { guest, host: ns, bound: boundNs };
}

function until(segment: Segment, guest: bigint): Segment {
  if (segment.guestTo <= guest) return segment;
  const { ns, boundNs } = within(segment, guest);
  return { ...segment, guestTo: guest, hostTo: ns, boundTo: boundNs };
}

function since(segment: Segment, guest: bigint): Segment {
  if (segment.guestFrom >= guest) return segment;
  const { ns, boundNs } = within(segment, guest);
  return { ...segment, guestFrom: guest, hostFrom: ns, boundFrom: boundNs };
}

function at({ segments, head, tail }: Course, guest: bigint): HostTime {
  if (guest <= head.guest) return beyond(head, guest);
  if (guest >= tail.guest) return beyond(tail, guest);
  return within(segments.find(({ guestTo }) => guestTo >= guest)!, guest);
}
