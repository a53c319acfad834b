import { Alignment, type Observations } from '../../src/clock/align.ts';
import type { ClockMap } from '../../src/clock/map/clock-map.ts';
import { Exclusion } from '../../src/clock/exclusion/pairs.ts';
import { OffStretches, ThreadTimes } from '../../src/clock/exclusion/off-stretches.ts';
import type { Simulated } from './machine.ts';

export interface Aligned {
  /** By pings alone, and with exclusion, once and as often as it is done. */
  readonly pinged: ClockMap;
  readonly once: ClockMap;
  readonly refined: ClockMap;
}

/** Aligns the clocks of a simulated machine by what was observed of it. */
export function aligned(
  { pings, switches, tids, events, clock }: Simulated,
  more: Partial<Observations> = {},
): Aligned {
  const alignment = Alignment.of({ pings, ...more });
  if (alignment === undefined) throw new Error('no pings');
  const vcpus = tids.map(() => new OffStretches());
  const times = new ThreadTimes(new Map(tids.map((tid, vcpu) => [tid, vcpus[vcpu]!])));
  for (const { cpu, time, prev, next, lost } of switches) {
    times.event(cpu, Math.floor(time), prev, lost);
    times.switched(Math.floor(time), prev, next);
  }
  const { hostOrigin, guestOrigin } = clock;
  const refinedBy = (map: ClockMap): ClockMap => {
    const exclusion = new Exclusion(map, vcpus, { hostOrigin, guestOrigin });
    for (const { vcpu, guest } of events) exclusion.add(vcpu, Number(guest - guestOrigin));
    return alignment.refined(exclusion);
  };
  const once = refinedBy(alignment.map);
  const refined = alignment.canImprove(once) ? refinedBy(once) : once;
  return { pinged: alignment.map, once, refined };
}

export interface Errors {
  /** Events whose true time is farther from the map's than its bound. */
  readonly lies: number;
  /** Largest share of a bound that an error took. */
  readonly worst: number;
  readonly meanBoundNs: number;
  readonly meanErrorNs: number;
}

/** Holds a map against the truth. */
export function errorsOf(map: ClockMap, { events }: Simulated): Errors {
  let [lies, worst, bounds, errors] = [0, 0, 0, 0];
  for (const { guest, host } of events) {
    const { ns, boundNs } = map.at(guest);
    const error = Math.abs(Number(ns - host));
    if (error > boundNs) lies++;
    worst = Math.max(worst, error / boundNs);
    bounds += boundNs;
    errors += error;
  }
  return { lies, worst, meanBoundNs: bounds / events.length, meanErrorNs: errors / events.length };
}
