import type { SliceKind } from './slice-kinds.ts';

/** A row of a timeline. Texts come from the machines and may contain anything. */
export interface TimelineRow {
  /** Its index in `rows`. */
  readonly id: number;
  /** `host` or the guest's name. */
  readonly machine: string;
  readonly host: boolean;
  /** `cpu`: what the CPU ran; `vcpu`: what the host did with a guest's CPU. */
  readonly kind: 'cpu' | 'vcpu';
  readonly cpu: number;
  readonly label: string;
  /** Number of slices of each level. */
  readonly slices: readonly number[];
}

/** The file `index.json` of a timeline. Times are nanoseconds. */
export interface TimelineIndex {
  readonly version: 1;
  /** When the timeline begins on the clock of the recordings, as a decimal string. All other times count from here. */
  readonly startNs: string;
  readonly spanNs: number;
  readonly events: number;
  /** What the numbers of the column `kind` mean. */
  readonly kinds: readonly SliceKind[];
  /** Level 0 has all slices, each further one those that are at least this long, and sums of the shorter ones. */
  readonly levels: readonly { readonly widthNs: number }[];
  readonly rows: readonly TimelineRow[];
  /** What the numbers of the column `name` mean. */
  readonly strings: readonly string[];
}

/** Where chunks of columns are in `columns.bin`, those of one row and level in the order of time. */
export interface ChunkList {
  readonly offset: number[];
  readonly bytes: number[];
  readonly from: number[];
  readonly to: number[];
}

/** The file `chunks.json`: by row, then by level. */
export type TimelineChunks = readonly (readonly ChunkList[])[];

export const indexName = 'index.json';
export const chunksName = 'chunks.json';
export const columnsName = 'columns.bin';
