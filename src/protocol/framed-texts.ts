import type { PerCpu, RingStats } from './control.ts';

/** What the frames of JSON say (frames.ts, docs/framed-output.md). */

export interface FramedAbout {
  readonly agentVersion: string;
  /** The tracefs instance, or null for the top level. */
  readonly instance: string | null;
  /** Name of the trace clock. */
  readonly clock: string;
  readonly pageBytes: number;
  /** The CPUs that are traced. */
  readonly cpus: readonly number[];
}

export interface FramedEnd {
  readonly cpus: PerCpu<FramedCpu>;
}

export interface FramedCpu {
  /** Taken from the ring: as many should be in the stream. */
  readonly bytes: number;
  /** What the kernel counts behind the last page, and had counted before the first; null where it cannot be asked. */
  readonly ring: RingStats | null;
  readonly ringBefore: RingStats | null;
}
