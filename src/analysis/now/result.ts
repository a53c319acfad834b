import type { HistogramBucket } from '../samples.ts';

/** A task and its share of the time of one CPU, 0 to 1. `comm` comes from the machine and may contain anything. */
export interface TaskShare {
  readonly comm: string;
  readonly pid: number;
  readonly share: number;
}

/** What one CPU did in a frame. A share is null if the traced events do not show it. */
export interface CpuNow {
  readonly cpu: number;
  readonly busyShare: number | null;
  readonly irqShare: number | null;
  readonly topTask: TaskShare | null;
}

/** Time in which a vCPU was ready to run while another task of the host had its CPU. */
export interface StolenNow {
  /** Name of the guest, as the host's recording has it. */
  readonly guest: string;
  readonly guestCpu: number;
  readonly byComm: string;
  readonly byPid: number;
  readonly share: number;
}

/** Wakeup latencies of the frame, in ns; the histogram has the upper bound of each bucket, null for the last. */
export interface WakeupsNow {
  readonly count: number;
  readonly p50Ns: number | null;
  readonly p99Ns: number | null;
  readonly maxNs: number | null;
  readonly histogram: readonly (readonly [HistogramBucket['toNs'], number])[];
}

/** What a machine did since the frame before. */
export interface MachineNowFrame {
  readonly events: number;
  /** Time that the frame covers by the trace's clock, in ns; 0 without new events. */
  readonly spanNs: number;
  readonly cpus: readonly CpuNow[];
  /** Most CPU time first. */
  readonly tasks: readonly (TaskShare & { readonly cpus: readonly number[] })[];
  readonly stolen: readonly StolenNow[];
  readonly wakeups: WakeupsNow | null;
  /** Events that would give what is not known, such as `sched_switch`. */
  readonly missing: readonly string[];
}
