import { Alignment } from '../../src/clock/align.ts';
import { OffStretches, ThreadTimes } from '../../src/clock/exclusion/off-stretches.ts';
import { Exclusion } from '../../src/clock/exclusion/pairs.ts';
import type { OrderedPair } from '../../src/clock/map/observations.ts';
import { DeadlinePairs, Deadlines } from '../../src/clock/order/deadlines.ts';
import { type GuestEvent, type MachineOptions, type Simulated, simulate } from './machine.ts';
import type { Aligned } from './observed.ts';
import { Random } from './random.ts';

/** An event of KVM on the host, by the thread of a vCPU. */
export interface KvmEvent {
  readonly kind: 'exit' | 'entry' | 'msr';
  readonly cpu: number;
  readonly tid: number;
  readonly time: number;
  readonly deadline: bigint;
  readonly lost: boolean;
}

/** `timer`: of a system whose events do not come between a write and its write_msr; `other` may. */
export interface KvmGuestEvent extends GuestEvent {
  readonly kind: 'timer' | 'other' | 'write';
  readonly deadline: bigint;
}

export interface KvmMachine extends Simulated {
  readonly events: readonly KvmGuestEvent[];
  readonly kvm: readonly KvmEvent[];
}

/** A host that runs a guest by KVM: vCPUs leave it all the time, and some exits are by timers that the guest sets. */
export function kvmMachine(options: MachineOptions): KvmMachine {
  const base = simulate({ ...options, faults: [] });
  const random = new Random(options.seed ^ 0x5eed);
  const kvm: KvmEvent[] = [];
  const events: KvmGuestEvent[] = [];
  for (const [vcpu, tid] of base.tids.entries()) {
    const cpu = random.below(options.hostCpus);
    const host = (kind: KvmEvent['kind'], time: number, deadline = 0n): void => {
      kvm.push({ kind, cpu, tid, time: Math.floor(time), deadline, lost: false });
    };
    const guest = (kind: KvmGuestEvent['kind'], time: number, deadline = 0n): void => {
      events.push({ kind, vcpu, guest: base.clock.at(time), host: base.clock.host(time), deadline });
    };
    let time = random.exponential(1e5);
    let written: bigint | undefined;
    while (time < options.durationNs) {
      host('entry', time);
      time += random.between(300, 800);
      // an interrupt of the host may end it before the guest's first instruction
      const isVain = random.chance(0.2);
      const runs = isVain ? 0 : 2000 + random.exponential(options.onNs / 10);
      const end = time + runs;
      if (!isVain && written !== undefined) {
        if (random.chance(0.2)) guest('other', time + 50);
        guest('write', time + random.between(60, 500), written);
        written = undefined;
      }
      for (
        let at = time + 600 + random.exponential(2e4);
        at < end - 4000;
        at += 50 + random.exponential(options.betweenEventsNs)
      )
        guest(random.chance(0.5) ? 'timer' : 'other', at);
      time = end;
      const sets = !isVain && runs > 3000 && random.chance(0.3);
      if (sets) guest('timer', time - random.between(20, 1500));
      time += random.between(100, 500);
      host('exit', time);
      if (sets) {
        written = BigInt(Math.floor(time * 2.5)) * 8n + BigInt(random.below(1 << 30)) * 64n + 8n;
        time += random.between(100, 800);
        host('msr', time, written);
      }
      time += random.between(300, 2000) + (random.chance(0.1) ? random.exponential(options.offNs) : 0);
    }
  }
  events.sort((a, b) => Number(a.host - b.host));
  kvm.sort((a, b) => a.time - b.time);
  const recorded = withLosses(kvm, options, random);
  // the guest's kernel loses some too
  return { ...base, events: events.filter(() => !random.chance(0.05)), kvm: recorded };
}

function withLosses(kvm: readonly KvmEvent[], { loss, hidden }: MachineOptions, random: Random): KvmEvent[] {
  const kept: KvmEvent[] = [];
  const losing = new Map<number, number>();
  const lost = new Set<number>();
  for (const event of kvm) {
    const left = losing.get(event.cpu) ?? 0;
    if (left > 0) {
      losing.set(event.cpu, left - 1);
      lost.add(event.cpu);
      continue;
    }
    // and some without a mark
    if (random.chance(hidden)) continue;
    kept.push({ ...event, lost: lost.delete(event.cpu) });
    if (random.chance(loss / 10)) losing.set(event.cpu, 1 + random.below(50));
  }
  return kept;
}

/** What the guest's timers say, as the readers of traces find it. */
export function deadlinePairs({ kvm, events, tids, clock }: KvmMachine): OrderedPair[] {
  const deadlines = tids.map(() => new Deadlines());
  for (const { kind, tid, time, deadline } of kvm)
    if (kind === 'msr') deadlines[tids.indexOf(tid)]!.add(deadline, time);
  const found = new DeadlinePairs(deadlines);
  for (const { kind, vcpu, guest, deadline } of events) {
    const time = Number(guest - clock.guestOrigin);
    if (kind === 'timer') found.event(vcpu, time);
    if (kind === 'write') found.wrote(vcpu, time, deadline);
  }
  return found.pairs(clock);
}

/** Aligns by pings and timers, then by the exits too. */
export function kvmAligned(machine: KvmMachine): Omit<Aligned, 'once'> {
  const { pings, kvm, tids, events, clock } = machine;
  const alignment = Alignment.of({ pings, pairs: deadlinePairs(machine) });
  if (alignment === undefined) throw new Error('no pings');
  const vcpus = tids.map(() => new OffStretches());
  const times = new ThreadTimes(new Map(tids.map((tid, vcpu) => [tid, vcpus[vcpu]!])));
  for (const { kind, cpu, time, tid, lost } of kvm) {
    times.event(cpu, time, tid, lost);
    if (kind === 'exit') times.left(time, tid);
    if (kind === 'entry') times.enters(time, tid);
  }
  const exclusion = new Exclusion(alignment.map, vcpus, clock);
  for (const { vcpu, guest } of events) exclusion.add(vcpu, Number(guest - clock.guestOrigin));
  return { pinged: alignment.map, refined: alignment.refined(exclusion) };
}
