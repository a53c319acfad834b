import type { Break } from '../../src/clock/map/observations.ts';
import type { ClockFault } from './guest-clock.ts';
import { type MachineOptions, type Simulated, simulate } from './machine.ts';
import { Random } from './random.ts';

/**
 * What happens to the guest's clock: nothing; at most one pause or step of any size; pauses that are told; steps of
 * at least 20 ms, some pings apart; or one step back that a ping shows.
 */
export const troubles = ['none', 'one', 'told', 'large', 'back'] as const;
export type Trouble = (typeof troubles)[number];

export interface AnyMachine extends Simulated {
  readonly breaks: readonly Break[];
}

/** A machine of any load, as different as they come. @param other what is not left to chance */
export function anyMachine(seed: number, trouble: Trouble, other: Partial<MachineOptions> = {}): AnyMachine {
  const random = new Random(seed);
  const durationNs = random.between(0.3e9, 4e9);
  const pingEveryNs = random.between(0.2e9, 2e9);
  const scale = (low: number, high: number): number =>
    Math.exp(random.between(Math.log(low), Math.log(high)));
  const perhaps = (low: number, high: number): number => (random.chance(0.5) ? 0 : random.between(low, high));
  const { faults, told } = faultsOf(trouble, durationNs, pingEveryNs, random);
  const machine = simulate({
    seed,
    durationNs,
    hostCpus: 1 + random.below(4),
    vcpus: 1 + random.below(4),
    ratePpm: random.between(-200, 200),
    wanderPpm: perhaps(0, 1),
    faults,
    onNs: scale(2e4, 2e7),
    offNs: scale(1e4, 1e8),
    betweenEventsNs: scale(3e4, 5e6),
    entryNs: random.between(2e3, 5e4),
    missing: perhaps(0, 0.5),
    hidden: perhaps(0, 0.01),
    loss: perhaps(0, 0.02),
    pingEveryNs,
    pingRounds: 1 + random.below(12),
    pingNs: random.chance(0.5) ? 5e5 : 5e4,
    ...other,
  });
  const breaks = told.map(([from, to]) => ({
    hostFrom: machine.clock.host(from),
    hostTo: machine.clock.host(to),
  }));
  return { ...machine, breaks };
}

function faultsOf(
  trouble: Trouble,
  durationNs: number,
  pingEveryNs: number,
  random: Random,
): { faults: ClockFault[]; told: [from: number, to: number][] } {
  const faults: ClockFault[] = [];
  const told: [number, number][] = [];
  const kind = (): ClockFault['kind'] => (random.chance(0.5) ? 'pause' : 'step');
  const size = (least: number): number => Math.exp(random.between(Math.log(least), Math.log(1e9)));
  const at = random.between(0.02, 0.98) * durationNs;
  if (trouble === 'one' && random.chance(0.9)) faults.push({ kind: kind(), at, ns: size(1e3) });
  if (trouble === 'back') faults.push({ kind: 'step', at, ns: -random.between(3, 8) * pingEveryNs });
  const isMany = trouble === 'told' || trouble === 'large';
  let next = isMany ? random.between(0, 0.5) * durationNs : durationNs;
  while (next < durationNs) {
    const ns = size(trouble === 'told' ? 1e3 : 2e7);
    if (trouble === 'told') {
      faults.push({ kind: 'pause', at: next, ns });
      told.push([next - random.exponential(1e5), next + ns + random.exponential(1e5)]);
      next += ns + random.between(0.1, 0.6) * durationNs;
    } else {
      faults.push({ kind: kind(), at: next, ns });
      next += ns + random.between(2.5, 6) * pingEveryNs;
    }
  }
  return { faults, told };
}
