import type { Break } from '../../src/clock/map/observations.ts';
import type { MachineOptions, Simulated } from './machine.ts';
import { simulate } from './machine.ts';
import { Random } from './random.ts';

export interface PausedMachine extends Simulated {
  readonly breaks: readonly Break[];
}

/**
 * A machine with pauses as QEMU tells them: when the guest last ran is known only roughly, when it was surely paused
 * quite exactly.
 */
export function pausedMachine(options: MachineOptions, looseNs = 5e8): PausedMachine {
  const random = new Random(options.seed);
  const pauses: { readonly at: number; readonly ns: number }[] = [];
  let next = random.between(0.05, 0.5) * options.durationNs;
  while (next < options.durationNs * 0.95) {
    const ns = Math.exp(random.between(Math.log(1e3), Math.log(1e9)));
    pauses.push({ at: next, ns });
    next += ns + random.between(0.02, 0.6) * options.durationNs;
  }
  const faults = pauses.map(({ at, ns }) => ({ kind: 'pause', at, ns }) as const);
  const machine = simulate({ ...options, faults });
  let ran = -1e9;
  const breaks = pauses.map(({ at, ns }): Break => {
    const { clock } = machine;
    const from = Math.max(ran, at - random.exponential(looseNs));
    const to = at + ns + random.exponential(5e5);
    ran = at + ns;
    const paused = [at + random.exponential(2e5), at + ns - random.exponential(1e5)] as const;
    const hostFrom = clock.host(from);
    const hostTo = clock.host(to) + 1n;
    // of a brief pause, no moment is sure
    if (paused[0] > paused[1] || random.chance(0.1)) return { hostFrom, hostTo };
    return { hostFrom, hostTo, pausedFrom: clock.host(paused[0]) + 1n, pausedTo: clock.host(paused[1]) };
  });
  return { ...machine, breaks };
}
