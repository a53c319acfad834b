/** A host with guests, what they do, and how well it is recorded. Every mean time may be Infinity: never. */
export interface SessionOptions {
  readonly seed: number;
  readonly durationNs: number;
  readonly host: HostOptions;
  readonly guests: readonly GuestOptions[];
  readonly faults?: Faults;
}

export interface HostOptions {
  readonly cpus: number;
  /** Tasks of its own, and those of SCHED_FIFO that run for long. */
  readonly tasks: number;
  readonly hogs: number;
  /** Part of them that may run on one CPU only. */
  readonly pinned: number;
  /** Mean time between two device interrupts of a CPU, and between two moves of a waiting task. */
  readonly irqEveryNs: number;
  readonly balanceEveryNs: number;
}

export interface GuestOptions {
  readonly name: string;
  readonly vcpus: number;
  /** With KVM exits are recorded; without it, as under TCG, only HLT leaves guest code, and without a record. */
  readonly hasKvm: boolean;
  readonly tasks: number;
  readonly hogs: number;
  /** Mean time between two device interrupts of the guest, and between two exits of a CPU that runs. */
  readonly irqEveryNs: number;
  readonly exitEveryNs: number;
  /** Part of these exits that end in QEMU, which takes long. */
  readonly slowExits: number;
  /** Whether QEMU's thread wakes a vCPU for its timer, and not the host's timer interrupt. */
  readonly timerByThread: boolean;
  /** Whether each vCPU stays on one host CPU. */
  readonly isPinned: boolean;
  /** A quota: now and then a vCPU must not run for `ns`. */
  readonly throttle?: { readonly everyNs: number; readonly ns: number };
  /** When it is stopped by QMP, from the beginning of the simulation, and for how long. */
  readonly pauses: readonly { readonly at: number; readonly ns: number }[];
  readonly ratePpm: number;
  readonly wanderPpm: number;
  /** The recorded relation of the clocks is wrong by up to so much, as its bound says. */
  readonly clockErrorNs: number;
}

/** Kinds of events that may be missing from a trace. */
export type EventKind = 'switch' | 'waking' | 'migrate' | 'irq' | 'softirq' | 'hrtimer' | 'kvm';

export interface Faults {
  /** Part of the events at which a CPU's ring begins to lose some, up to `lossLength`. */
  readonly hostLoss?: number;
  readonly guestLoss?: number;
  readonly lossLength?: number;
  /** The host's CPUs on which no switch from idle to a task is recorded. */
  readonly noSwitchFromIdle?: readonly number[];
  readonly hostWithout?: readonly EventKind[];
  readonly guestsWithout?: readonly EventKind[];
}

export const plainHost: HostOptions = {
  cpus: 4,
  tasks: 6,
  hogs: 1,
  pinned: 0.3,
  irqEveryNs: 1e6,
  balanceEveryNs: 1e6,
};

export const plainGuest: GuestOptions = {
  name: 'web',
  vcpus: 2,
  hasKvm: true,
  tasks: 5,
  hogs: 1,
  irqEveryNs: 1e6,
  exitEveryNs: 2e5,
  slowExits: 0.1,
  timerByThread: false,
  isPinned: false,
  pauses: [],
  ratePpm: 40,
  wanderPpm: 0,
  clockErrorNs: 0,
};
