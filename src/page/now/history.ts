import type { Frame, FrameMachine } from '../data/types.ts';

/** Frames that are kept: two minutes. */
const most = 120;

/** The figures of a CPU over time; null where unknown. */
export interface CpuHistory {
  readonly busy: (number | null)[];
  readonly irq: (number | null)[];
  readonly steal: (number | null)[];
}

/** What is known of a machine: its last frame, and the last two minutes of its CPUs. */
export interface MachineHistory {
  readonly last: FrameMachine;
  /** Seconds since the epoch. */
  readonly times: readonly number[];
  readonly cpus: ReadonlyMap<number, CpuHistory>;
}

/** Adds a frame to the histories, by the machine's name; the host's is ''. */
export function withFrame(
  before: ReadonlyMap<string, MachineHistory>,
  frame: Frame,
): ReadonlyMap<string, MachineHistory> {
  const next = new Map(before);
  const at = Date.parse(frame.at) / 1000;
  for (const last of frame.machines) {
    const name = last.name ?? '';
    const old = before.get(name);
    const times = [...(old?.times ?? []), at].slice(-most);
    const cpus = new Map<number, CpuHistory>();
    for (const { cpu, busyShare, irqShare, stealShare } of last.cpus) {
      const known = old?.cpus.get(cpu);
      const added = (
        values: readonly (number | null)[] | undefined,
        value: number | null,
      ): (number | null)[] => {
        const all = [...(values ?? []), value];
        // a CPU that came later has no figures before
        while (all.length < times.length) all.unshift(null);
        return all.slice(-times.length);
      };
      cpus.set(cpu, {
        busy: added(known?.busy, busyShare),
        irq: added(known?.irq, irqShare),
        steal: added(known?.steal, stealShare),
      });
    }
    next.set(name, { last, times, cpus });
  }
  return next;
}
