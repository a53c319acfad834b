import { Alignment } from '../../../src/clock/align.ts';
import { Exclusion } from '../../../src/clock/exclusion/pairs.ts';
import { type HostTimes, readHostTimes } from '../../../src/clock/exclusion/trace-events.ts';
import type { ClockMap } from '../../../src/clock/map/clock-map.ts';
import type { Trial } from './trial.ts';

export interface Maps {
  /** By pings alone; as `record` computes it; and without what the held-out seconds have. */
  readonly pinged: ClockMap;
  readonly all: ClockMap;
  readonly without: ClockMap;
  readonly guestEvents: number;
  /** Of the held-out seconds. */
  readonly heldOut: readonly HeldOut[];
}

export interface HeldOut {
  /** The largest bound there, in ns. */
  readonly boundNs: number;
  /** Off-stretches that have an event inside, at the best shift of the map within the bound, and of all. */
  readonly fitted: number;
  readonly fewest: number;
  /** The same at a shift well outside the bound, on the better side. */
  readonly far: number;
}

interface GuestEvents {
  readonly origin: bigint;
  /** ns after the origin, for each CPU. */
  readonly times: readonly (readonly number[])[];
}

/** How far a map is shifted to find the fewest, and how far outside the bound for `far`. */
const mostShiftNs = 2e6;
const farNs = 200_000;
const second = 1e9;

/** Every third second is held out. */
function isHeldOut(time: number): boolean {
  return Math.floor(time / second) % 3 === 1;
}

export async function mapsOf({
  host,
  guest,
  pings,
  tids,
}: Pick<Trial, 'host' | 'guest' | 'pings' | 'tids'>): Promise<Maps> {
  const times = await readHostTimes(host.events(), host.formats(), tids);
  const events = await eventsOf(guest, tids.length);
  const span = guest.span();
  const aligned = (isUsed: (time: number) => boolean): { pinged: ClockMap; refined: ClockMap } => {
    const used = pings.filter((ping) => isUsed(Number(ping.guest - events.origin)));
    const alignment = Alignment.of({ pings: used, ...(span && { span }) });
    if (alignment === undefined) throw new Error('no pings');
    const origins = { hostOrigin: times.origin, guestOrigin: events.origin };
    const refinedBy = (map: ClockMap): ClockMap => {
      const exclusion = new Exclusion(map, times.vcpus, origins);
      for (const [vcpu, own] of events.times.entries())
        for (const time of own) if (isUsed(time)) exclusion.add(vcpu, time);
      return alignment.refined(exclusion);
    };
    const once = refinedBy(alignment.map);
    return { pinged: alignment.map, refined: alignment.canImprove(once) ? refinedBy(once) : once };
  };
  const all = aligned(() => true);
  const without = aligned((time) => !isHeldOut(time)).refined;
  return {
    pinged: all.pinged,
    all: all.refined,
    without,
    guestEvents: events.times.reduce((sum, { length }) => sum + length, 0),
    heldOut: judged(without, times, events),
  };
}

async function eventsOf(guest: Trial['guest'], cpus: number): Promise<GuestEvents> {
  const origin = guest.span()?.first ?? 0n;
  const times: number[][] = Array.from({ length: cpus }, () => []);
  for await (const batch of guest.events())
    for (const { cpu, timestamp } of batch) times[cpu]?.push(Number(timestamp - origin));
  return { origin, times };
}

function judged(map: ClockMap, { origin, vcpus }: HostTimes, events: GuestEvents): HeldOut[] {
  const seconds = new Map<number, Shifts>();
  for (const [vcpu, times] of events.times.entries()) {
    const { from, to, length } = vcpus[vcpu]!;
    let at = 0;
    for (const time of times) {
      if (!isHeldOut(time)) continue;
      const { ns, boundNs } = map.at(events.origin + BigInt(time));
      const host = Number(ns - origin);
      const number = Math.floor(time / second);
      const shifts = seconds.get(number) ?? new Shifts();
      seconds.set(number, shifts);
      while (at < length && to[at]! < host - mostShiftNs) at++;
      for (let i = at; i < length && from[i]! < host + mostShiftNs; i++)
        shifts.exclude(`${vcpu} ${i}`, from[i]! - host, to[i]! - host);
      shifts.boundNs = Math.max(shifts.boundNs, boundNs);
    }
  }
  return [...seconds].sort(([a], [b]) => a - b).map(([, shifts]) => shifts.judge());
}

/** The shifts that stretches exclude: each counts once for a shift, however many events it has. */
class Shifts {
  boundNs = 0;
  readonly #ofStretch = new Map<string, [low: number, high: number][]>();

  exclude(stretch: string, low: number, high: number): void {
    const own = this.#ofStretch.get(stretch);
    if (own === undefined) this.#ofStretch.set(stretch, [[low, high]]);
    else own.push([low, high]);
  }

  judge(): HeldOut {
    const ends: [shift: number, step: 1 | -1][] = [];
    for (const ranges of this.#ofStretch.values())
      for (const [low, high] of united(ranges)) ends.push([low, 1], [high, -1]);
    // a shift at which one range ends and another begins is in neither
    ends.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    const fewestIn = (low: number, high: number): number => {
      let [count, fewest] = [0, Infinity];
      for (let index = -1; index < ends.length; index++) {
        count += ends[index]?.[1] ?? 0;
        const [from, to] = [ends[index]?.[0] ?? -Infinity, ends[index + 1]?.[0] ?? Infinity];
        if (from <= high && to >= low) fewest = Math.min(fewest, count);
      }
      return fewest;
    };
    const { boundNs } = this;
    const far = boundNs + farNs;
    return {
      boundNs,
      fitted: fewestIn(-boundNs, boundNs),
      fewest: fewestIn(-mostShiftNs, mostShiftNs),
      far: Math.min(fewestIn(-far, -far), fewestIn(far, far)),
    };
  }
}

function united(ranges: readonly [low: number, high: number][]): [low: number, high: number][] {
  const found: [low: number, high: number][] = [];
  for (const [low, high] of [...ranges].sort((a, b) => a[0] - b[0])) {
    const last = found.at(-1);
    if (last !== undefined && low <= last[1]) last[1] = Math.max(last[1], high);
    else found.push([low, high]);
  }
  return found;
}
