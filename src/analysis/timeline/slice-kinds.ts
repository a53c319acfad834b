/** What a slice of a timeline shows. The column `kind` has the index in this list; a page may read it, so keep it. */
export const sliceKinds = [
  /** A task runs; on a vCPU's row: the vCPU runs on a CPU of the host. */
  'running',
  'idle',
  'irq',
  'softirq',
  /** The vCPU wants to run, and something else has its host CPU. */
  'preempted',
  /** The vCPU was woken and has not run yet. */
  'waking',
  'halted',
  'hypervisor',
  'paused',
  /** Events were lost, or nothing says what happened; `name` is why. */
  'lost',
  /** Several slices that are shorter than the level's width; `name` is that of the longest one that is no rest. */
  'mixed',
] as const;

export type SliceKind = (typeof sliceKinds)[number];

/** The kinds as numbers. */
export const slice: Readonly<Record<SliceKind, number>> = {
  running: 0,
  idle: 1,
  irq: 2,
  softirq: 3,
  preempted: 4,
  waking: 5,
  halted: 6,
  hypervisor: 7,
  paused: 8,
  lost: 9,
  mixed: 10,
};

/** Whether the CPU has nothing to do in slices of this kind. */
export function isRest(kind: number): boolean {
  return kind === slice.idle || kind === slice.halted;
}

/** Whether the CPU works in slices of this kind. */
export function isBusy(kind: number): boolean {
  return kind === slice.running || kind === slice.irq || kind === slice.softirq;
}
