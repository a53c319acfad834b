import type { PingSample } from '../../src/clock/map/observations.ts';
import { type ClockFault, GuestClock } from './guest-clock.ts';
import { Random } from './random.ts';

export interface MachineOptions {
  readonly seed: number;
  readonly durationNs: number;
  readonly hostCpus: number;
  readonly vcpus: number;
  readonly ratePpm: number;
  readonly wanderPpm: number;
  readonly faults: readonly ClockFault[];
  /** Mean times that a vCPU is on and off its CPU, and between its events while on. */
  readonly onNs: number;
  readonly offNs: number;
  readonly betweenEventsNs: number;
  /** Mean time from a switch to the guest's next event. */
  readonly entryNs: number;
  /** Part of the switch-ins that the host does not record. */
  readonly missing: number;
  /** Part of the times on a CPU of which the host records neither end, and no loss. */
  readonly hidden: number;
  /** Part of the host's events at which some are lost. */
  readonly loss: number;
  readonly pingEveryNs: number;
  /** Pings at the start, each time, and at the end. */
  readonly pingRounds: number;
  /** Mean time of either way of a ping. */
  readonly pingNs: number;
}

/** An event of the host's trace. */
export interface HostSwitch {
  readonly cpu: number;
  readonly time: number;
  readonly prev: number;
  readonly next: number;
  readonly lost: boolean;
}

export interface GuestEvent {
  readonly vcpu: number;
  readonly guest: bigint;
  /** When it truly happened. */
  readonly host: bigint;
}

/** What was observed of a simulated machine, and the truth. */
export interface Simulated {
  readonly clock: GuestClock;
  /** In order of time, which counts from the clock's `hostOrigin`. */
  readonly switches: readonly HostSwitch[];
  readonly events: readonly GuestEvent[];
  readonly pings: readonly PingSample[];
  /** Ids of the vCPUs' threads. */
  readonly tids: readonly number[];
}

const firstTid = 1000;
const otherTid = 500;

/** A host with a guest whose vCPUs come and go, recorded on both sides as well as that goes. */
export function simulate(options: MachineOptions): Simulated {
  const random = new Random(options.seed);
  const clock = new GuestClock(
    {
      ...options,
      hostOrigin: BigInt(random.below(2 ** 30)) << 30n,
      guestOrigin: BigInt(random.below(2 ** 30)) << 20n,
    },
    random,
  );
  const switches: HostSwitch[] = [];
  const events: GuestEvent[] = [];
  const tids = Array.from({ length: options.vcpus }, (_, vcpu) => firstTid + vcpu);
  for (const [vcpu, tid] of tids.entries()) runVcpu(vcpu, tid, options, clock, random, switches, events);
  switches.sort((a, b) => a.time - b.time);
  events.sort((a, b) => (a.host < b.host ? -1 : a.host > b.host ? 1 : 0));
  return {
    clock,
    switches: recorded(switches, tids, options, random),
    events,
    pings: pingsOf(options, clock, random),
    tids,
  };
}

function runVcpu(
  vcpu: number,
  tid: number,
  options: MachineOptions,
  clock: GuestClock,
  random: Random,
  switches: HostSwitch[],
  events: GuestEvent[],
): void {
  let time = random.exponential(options.offNs);
  while (time < options.durationNs) {
    const cpu = random.below(options.hostCpus);
    const paused = clock.pauses.find(({ from, to }) => time >= from && time < to);
    if (paused !== undefined) time = paused.to + random.exponential(options.offNs);
    let out = time + 1000 + random.exponential(options.onNs);
    const next = clock.pauses.find(({ from }) => from >= time && from < out);
    if (next !== undefined) out = next.from;
    const hidden = random.chance(options.hidden);
    if (!hidden) switches.push({ cpu, time, prev: otherTid + cpu, next: tid, lost: false });
    let at = time + 200 + random.exponential(options.entryNs);
    while (at < out) {
      events.push({ vcpu, guest: clock.at(at), host: clock.host(at) });
      at += 50 + random.exponential(options.betweenEventsNs);
    }
    if (!hidden) switches.push({ cpu, time: out, prev: tid, next: otherTid + cpu, lost: false });
    time = out + 500 + random.exponential(options.offNs);
  }
}

/** What the host's rings still had. */
function recorded(
  switches: readonly HostSwitch[],
  tids: readonly number[],
  { missing, loss, hostCpus }: MachineOptions,
  random: Random,
): HostSwitch[] {
  const kept: HostSwitch[] = [];
  const losing = Array.from({ length: hostCpus }, () => 0);
  const lost = Array.from({ length: hostCpus }, () => false);
  for (const event of switches) {
    if (losing[event.cpu]! > 0) {
      losing[event.cpu]!--;
      lost[event.cpu] = true;
      continue;
    }
    if (tids.includes(event.next) && random.chance(missing)) continue;
    kept.push({ ...event, lost: lost[event.cpu]! });
    lost[event.cpu] = false;
    if (random.chance(loss)) losing[event.cpu] = 1 + random.below(50);
  }
  return kept;
}

/** Readings of the guest's clock between two of the host's. */
export function pingsOf(
  {
    durationNs,
    pingEveryNs,
    pingRounds,
    pingNs,
  }: Pick<MachineOptions, 'durationNs' | 'pingEveryNs' | 'pingRounds' | 'pingNs'>,
  clock: GuestClock,
  random: Random,
): PingSample[] {
  const pings: PingSample[] = [];
  const burst = (from: number): void => {
    let time = from;
    for (let round = 0; round < pingRounds; round++) {
      // either way may be the slow one
      const there = random.between(0.05, 0.2) * pingNs + random.exponential(pingNs) * random.next();
      const back = random.between(0.05, 0.2) * pingNs + random.exponential(pingNs) * random.next();
      const arrives = time + there;
      // a paused guest answers later
      const read = clock.pauses.find(({ from, to }) => arrives >= from && arrives < to)?.to ?? arrives;
      const ends = read + back;
      pings.push({ hostBefore: clock.host(time), guest: clock.at(read), hostAfter: clock.host(ends) + 1n });
      time = ends + 1000;
    }
  };
  // the first are before all events, the last after them
  burst(-pingRounds * 20 * pingNs);
  for (let time = pingEveryNs; time < durationNs; time += pingEveryNs) burst(time * random.between(0.95, 1));
  burst(durationNs);
  return pings;
}
