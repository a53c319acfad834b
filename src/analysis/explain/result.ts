/** A time in which a guest was paused, in times of the host. */
export interface GuestPause {
  /** Name of the machine. */
  readonly guest: string;
  readonly from: bigint;
  readonly to: bigint;
}

/** The kinds of causes, in the order of their precedence: the first one that holds at a moment is its cause. */
export const causeKinds = [
  'unknown',
  'paused',
  'preempted',
  'woken-behind',
  'other-vcpu',
  'asleep',
  'host-irq',
  'host-softirq',
  'hypervisor',
  'guest-irq',
  'guest-softirq',
  'guest-task',
  'guest-kernel',
] as const;

export type CauseKind = (typeof causeKinds)[number];

/**
 * What a task had to wait for. Texts come from the machines and may contain control characters.
 *
 * | kind | the time is taken by |
 * |---|---|
 * | `guest-task` | another task of the guest that has the CPU |
 * | `guest-irq` `guest-softirq` | an interrupt handler or softirq of the guest |
 * | `guest-kernel` | the guest's kernel, which leaves idle or switches |
 * | `preempted` | a host task that has the host CPU; the vCPU is runnable |
 * | `woken-behind` | a host task that has the host CPU; the vCPU was woken and has not run yet |
 * | `other-vcpu` | another vCPU, `number`, that has the host CPU, and the task that runs on it; `machine` is its guest, which may be the same one |
 * | `asleep` | nobody: the vCPU is halted and has not been woken |
 * | `hypervisor` | KVM or QEMU, on behalf of the vCPU; `name` is the exit reason |
 * | `host-irq` `host-softirq` | an interrupt handler or softirq of the host |
 * | `paused` | nobody: the guest is paused |
 * | `unknown` | `name` is why it is unknown |
 */
export interface Cause {
  readonly kind: CauseKind;
  /** `host` or the guest's name. */
  readonly machine: string;
  /** Name, thread id and kernel priority (100 and more: not realtime) of the task; null if the cause is no task. */
  readonly task: string | null;
  readonly tid: number | null;
  readonly prio: number | null;
  /** Number of the irq, softirq or exit reason; of the vCPU for `other-vcpu`; null for others. */
  readonly number: number | null;
  /** Name of the irq handler, softirq or exit reason, or why the cause is unknown; null for others. */
  readonly name: string | null;
  /** CPU of `machine` (of the host for `other-vcpu`); null if unknown. */
  readonly cpu: number | null;
  readonly ns: number;
  /** Whether it rests on a switch that was not recorded and had to be inferred. */
  readonly inferred: boolean;
}

/** A time without interruption that has one cause. Times as of `Wait`. */
export interface Stretch extends Omit<Cause, 'ns'> {
  readonly beginNs: bigint;
  readonly endNs: bigint;
}

/** A stretch in which a vCPU did not run its guest's code, or it is unknown whether it did. */
export interface VcpuStretch extends Stretch {
  readonly guest: string;
  /** The guest's CPU. */
  readonly vcpu: number;
}

/**
 * `wakeup`: from when the task was due or woken to when it got a CPU. `preempted`: from when it lost its CPU, still
 * runnable, to when it got one again. `stolen`: it had the guest's CPU, and the vCPU did not run.
 * `interrupted`: it had the guest's CPU, and an interrupt or softirq of the guest ran.
 */
export type WaitKind = 'wakeup' | 'preempted' | 'stolen' | 'interrupted';

/** A wait of a task. Times are nanoseconds of the host's clock, or of the machine's own if it lacks the host's. */
export interface Wait {
  readonly machine: string;
  readonly task: string;
  readonly tid: number;
  readonly prio: number | null;
  /** The machine's CPU on which the wait ended. */
  readonly cpu: number;
  readonly dueNs: bigint;
  readonly endNs: bigint;
  readonly lengthNs: number;
  readonly kind: WaitKind;
  /** Whether it begins when a timer was due; otherwise when the guest noticed. */
  readonly isDue: boolean;
  /** Whether it had ended by the end of the trace. */
  readonly isOver: boolean;
  /** The largest error of the guest's times then; undefined if only that of the whole trace is known. */
  readonly boundNs?: number;
  /** Longest first; their sum is `lengthNs`. */
  readonly causes: readonly Cause[];
  /**
   * When each cause held, one after the other; only if asked for. They cover the whole wait, or its beginning if there are
   * more of them than a wait may have.
   */
  readonly stretches?: readonly Stretch[];
}

/** Who kept a guest's vCPUs from running, over the whole time: the sum of equal causes. */
export interface Thief extends Omit<Cause, 'cpu' | 'inferred'> {
  readonly guest: string;
  /** Number of stretches, and the longest one. */
  readonly count: number;
  readonly worstNs: number;
}

/** How a guest's times were converted to the host's. */
export interface ExplainedClock {
  /** `ping`, `exclusion`, `order`, `TIME_SHIFT` (written in the file, origin unknown), or `none`. */
  readonly method: string;
  /** Host minus guest at the beginning; null if unknown. */
  readonly offsetNs: bigint | null;
  readonly ratePpm: number | null;
  /** The largest error; null if unknown. */
  readonly boundNs: number | null;
  /** The guest's events that happened while the state of the vCPU was known, and those while it did not run. */
  readonly samples: number;
  readonly violations: number;
}

export interface Explanation {
  readonly clocks: Readonly<Record<string, ExplainedClock>>;
  /** Longest first. */
  readonly waits: readonly Wait[];
  /** Number of all waits that were looked for, also of those not in `waits`. */
  readonly waitCount: number;
  /** Most time first. */
  readonly thieves: readonly Thief[];
  /** Time in `waits` whose cause is unknown. */
  readonly unknownNs: number;
  /** What was not recorded, and how to record it. */
  readonly missing: readonly string[];
}
