import type { PerCpu, RingStats } from './control.ts';

/** The content of JSON frames (frames.ts, docs/framed-output.md). */

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
  /** Bytes taken from the ring. The stream should hold this many bytes of pages. */
  readonly bytes: number;
  /** The kernel's counts after the last page and before the first; null where they cannot be read. */
  readonly ring: RingStats | null;
  readonly ringBefore: RingStats | null;
}
