import type { RecordData } from '../format/record-data.ts';

/** An event to filter. `CpuEvents` has this shape, so that filtering does not allocate. */
export interface Candidate {
  readonly cpu: number;
  /** The thread that was running. */
  readonly pid: number;
  /** Positioned on the event. The timestamp is computed when read. */
  readonly cursor: RecordData & { readonly timestamp: bigint };
}

export type Test = (event: Candidate) => boolean;

export const always: Test = () => true;
export const never: Test = () => false;
