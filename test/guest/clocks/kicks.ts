import type { ClockMap } from '../../../src/clock/map/clock-map.ts';
import type { Trial } from './trial.ts';

/** When a guest kicks a queue, its vCPU's thread wakes QEMU between two times of the guest. */
export interface Kicks {
  /** Wake-ups of QEMU by each vCPU's thread, in the host's time; other things cause some too. */
  readonly wakes: readonly (readonly bigint[])[];
  /** Kicks by each of the guest's CPUs, in the guest's time. */
  readonly kicks: readonly (readonly (readonly [begin: bigint, end: bigint])[])[];
}

export async function kicksOf({ host, guest, tids, qemu }: Trial): Promise<Kicks> {
  const wakes: bigint[][] = tids.map(() => []);
  for await (const batch of host.events({ events: ['sched:sched_waking'] }))
    for (const event of batch)
      if (event.get('pid') === qemu) wakes[tids.indexOf(event.pid)]?.push(event.timestamp);
  const kicks: [bigint, bigint][][] = tids.map(() => []);
  const begun: (bigint | undefined)[] = [];
  for await (const batch of guest.events({ events: ['kprobes'] }))
    for (const event of batch) {
      const { cpu, timestamp, name } = event;
      const begin = begun[cpu];
      if (name === 'kprobes:kick_end' && begin !== undefined) kicks[cpu]?.push([begin, timestamp]);
      begun[cpu] = name === 'kprobes:kick_begin' ? timestamp : undefined;
    }
  return { wakes, kicks };
}

export interface Measured {
  /** Shifts of the map, in ns, with which most wake-ups lie within a kick. */
  readonly from: number;
  readonly to: number;
  readonly most: number;
  readonly at: (shift: number) => number;
}

const narrowNs = 100_000n;
const nearNs = 1e6;

/**
 * How wrong a map is, by wake-ups and kicks, which it was not made of. Not every wake-up comes from a kick, but with the
 * right shift more of them lie within one than with any other.
 */
export function measured(map: ClockMap, { wakes, kicks }: Kicks): Measured {
  const ends: [shift: number, step: 1 | -1][] = [];
  for (const [vcpu, times] of wakes.entries())
    for (const [begin, end] of kicks[vcpu]!.filter(([begin, end]) => end - begin < narrowNs)) {
      const [from, to] = [map.toHost(begin), map.toHost(end)];
      for (const time of times) {
        const [low, high] = [Number(time - to), Number(time - from)];
        if (high > -nearNs && low < nearNs) ends.push([low, 1], [high, -1]);
      }
    }
  ends.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  let [count, most, from, to] = [0, 0, 0, 0];
  for (const [i, [shift, step]] of ends.entries()) {
    count += step;
    if (count > most) [most, from, to] = [count, shift, ends[i + 1]![0]];
  }
  const at = (shift: number): number =>
    ends.reduce((sum, [end, step]) => (end <= shift ? sum + step : sum), 0);
  return { from, to, most, at };
}
