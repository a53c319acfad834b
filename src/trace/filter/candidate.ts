import type { RecordData } from '../format/record-data.ts';

/** An event to filter. `CpuEvents` has this shape, so that filtering does not allocate. */
export interface Candidate {
  readonly cpu: number;
  /** The thread that was running. */
  readonly pid: number;
  /** The event's time, computed when it is read. */
  readonly timestamp: bigint;
  /** A cursor positioned on the event. */
  readonly cursor: RecordData;
}

export type Test = (event: Candidate) => boolean;

export const always: Test = () => true;
export const never: Test = () => false;
