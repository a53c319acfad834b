import type { RecordData } from '../format/record-data.ts';

/** An event that a filter decides about. `CpuEvents` has this shape, so that a decision allocates nothing. */
export interface Candidate {
  readonly cpu: number;
  /** The thread that was running. */
  readonly pid: number;
  /** Stands on the event. Its time is worked out when it is read. */
  readonly cursor: RecordData & { readonly timestamp: bigint };
}

export type Test = (event: Candidate) => boolean;

export const always: Test = () => true;
export const never: Test = () => false;
