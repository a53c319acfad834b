import type { EventFilter } from '../../trace/open.ts';
import type { LineOptions } from '../report/options.ts';
import type { NotedPiece } from '../text/part-notes.ts';

/** What a thread needs to open an input. */
export interface ThreadInput {
  readonly path: string;
  readonly totalBytes: number;
  readonly label: string | undefined;
  readonly timeOffset: bigint;
  readonly clockHz: number | undefined;
  readonly filter: Omit<EventFilter, 'functionAt'>;
  /** Whether its filter needs the names of functions. */
  readonly namesFunctions: boolean;
}

/** What a thread is given when it starts. */
export interface ThreadSetup {
  readonly inputs: readonly ThreadInput[];
  readonly lines: LineOptions;
  readonly withoutFlags: number;
  /** The time that is shown as 0: all others are relative to it. Undefined without `--align-ts`. */
  readonly alignTo: bigint | undefined;
}

/** A part to print: the events from `from` on and before `until`, in the times of the report. */
export interface PartOrder {
  readonly from: bigint | undefined;
  readonly until: bigint | undefined;
  /** For each buffer of each input, the steps at which to begin reading its CPUs. */
  readonly steps: ReadonlyMap<string, readonly number[]>;
}

/** The key of a buffer in `steps`. */
export function bufferKey(input: number, buffer: string): string {
  return `${input} ${buffer}`;
}

export type ToThread =
  | { readonly kind: 'print'; readonly order: PartOrder }
  /** A piece was written: its memory can be reused. */
  | { readonly kind: 'used'; readonly memory: number };

/** Some text of a part. */
export interface TextPiece extends NotedPiece {
  /** The number of the memory that holds the text. */
  readonly memory: number;
  /** That memory; undefined if the receiver already has it. Memory that is used only once is always sent. */
  readonly bytes: Uint8Array | undefined;
  readonly length: number;
  /** Event types that are printed as fields for the first time, with the reasons. */
  readonly said: readonly (readonly [name: string, reason: string])[];
  /** Whether the text may differ from what one thread would print. */
  readonly isDoubtful: boolean;
}

/** What a thread sends about a part: one `begin`, some `text`, one `end`; or `failed` at any time. */
export type FromThread =
  /** Where each CPU's events begin, in the same order for all parts. */
  | { readonly kind: 'begin'; readonly edges: readonly string[] }
  | { readonly kind: 'text'; readonly piece: TextPiece }
  /** Where each CPU's events end, and the time of the last line, for `--ts-diff`; undefined if there is no line. */
  | { readonly kind: 'end'; readonly edges: readonly string[]; readonly lastTime: bigint | undefined }
  | { readonly kind: 'failed' };
