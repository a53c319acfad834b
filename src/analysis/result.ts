import type { HistogramBucket } from './samples.ts';

/**
 * Figures of a trace. Durations are nanoseconds; they are null if the buffer's clock does not count time, or if the
 * required events are not in the trace (`missing`). Texts come from the guest and may contain control characters.
 */
export interface TraceSummary {
  readonly path: string;
  /** One summary per tracing instance, because several may contain the same event. */
  readonly buffers: readonly BufferSummary[];
}

export interface BufferSummary {
  /** Name of the tracing instance; empty for the top level. */
  readonly name: string;
  readonly clock: string;
  readonly timeUnit: 'ns' | null;
  /** Times of the first and of the last event, by the buffer's clock; undefined without events. */
  readonly first: bigint | undefined;
  readonly last: bigint | undefined;
  readonly spanNs: number | null;
  readonly events: number;
  /** Number of lost events, as counted by the kernel. */
  readonly lost: bigint;
  /** How many times the kernel lost events without counting them. */
  readonly uncountedLosses: number;
  /** Sums over all CPUs. The idle share is idle / (busy + idle). */
  readonly busyNs: number | null;
  readonly idleNs: number | null;
  readonly idleShare: number | null;
  /** In ascending order of CPU numbers. */
  readonly cpus: readonly CpuSummary[];
  /** Without the idle tasks; sorted by run time, longest first. */
  readonly tasks: readonly TaskSummary[];
  /** Sum of the tasks beyond the limit of 8192; null if there are none. */
  readonly otherTasks: TaskSummary | null;
  /** Wakeup latencies of all tasks. */
  readonly wakeups: Durations | null;
  readonly wakeupHistogram: readonly HistogramBucket[];
  /** Sorted by total time, longest first. */
  readonly irqs: readonly InterruptSummary[];
  readonly softirqs: readonly InterruptSummary[];
  /** Sorted by count, largest first. */
  readonly eventTypes: readonly { readonly name: string; readonly count: number }[];
  readonly missing: readonly MissingFigure[];
  readonly notCounted: NotCounted;
}

export interface CpuSummary {
  readonly cpu: number;
  readonly events: number;
  readonly lost: bigint;
  readonly uncountedLosses: number;
  readonly busyNs: number | null;
  readonly idleNs: number | null;
  readonly idleShare: number | null;
  /**
   * Time spent in irq handlers, and in softirqs, excluding nested interrupts. It is also part of the run time of the
   * interrupted task.
   */
  readonly irqNs: number | null;
  readonly softirqNs: number | null;
  /** Switches away from a task that blocked, and from one that was still runnable. Idle tasks are not counted. */
  readonly voluntary: number;
  readonly involuntary: number;
  /** Wakeup latencies of the tasks that then ran on this CPU. */
  readonly wakeups: Durations | null;
}

export interface TaskSummary {
  /** The task's pid; null for the sum of several tasks. */
  readonly pid: number | null;
  /** The task's last name; empty if unknown. */
  readonly task: string;
  readonly runNs: number | null;
  /** Share of the known time of all CPUs; the shares of all tasks and of idle add up to 1. */
  readonly share: number | null;
  readonly voluntary: number;
  readonly involuntary: number;
  readonly wakeups: Durations | null;
  readonly worstWakeup: WorstWakeup | null;
}

/** The switch that ended a task's longest wait. */
export interface WorstWakeup {
  readonly latencyNs: number;
  /** Time of the switch by the buffer's clock; the wakeup was `latencyNs` earlier. */
  readonly at: bigint;
  readonly cpu: number;
  /** The task that ran on the CPU before. */
  readonly afterPid: number;
  readonly afterTask: string;
}

/** An irq handler or a softirq vector, over all CPUs. */
export interface InterruptSummary {
  /** Number of the irq or vector; null for the sum of several rows. */
  readonly number: number | null;
  /** Name of the handler or vector; empty if unknown. */
  readonly name: string;
  readonly totalNs: number;
  /** Durations without nested interrupts. */
  readonly own: Durations;
  /** When, and on which CPU, the longest run without nested interrupts ended. */
  readonly worstAt: bigint;
  readonly worstCpu: number;
}

/** Percentiles are null without samples. */
export interface Durations {
  readonly count: number;
  readonly p50Ns: number | null;
  readonly p99Ns: number | null;
  readonly worstNs: number | null;
  /** Whether percentiles are exact; otherwise their error is below 1 %. */
  readonly exact: boolean;
}

/** Figures missing from the summary, and the events needed for them. */
export interface MissingFigure {
  readonly figures: string;
  readonly events: readonly string[];
}

export interface NotCounted {
  /** Task runs during which events were lost. */
  readonly slicesAcrossLoss: number;
  /** Task runs whose start or end is missing, e.g. because events were filtered out. */
  readonly slicesUnmatched: number;
  /** Wakeups after which events were lost before the task was switched in. */
  readonly wakeupsAcrossLoss: number;
  /** Interrupt entries without an exit, and exits without an entry. */
  readonly interruptsUnmatched: number;
  /** Records too short for their fields. */
  readonly malformedEvents: number;
}
