import type { EventFilter } from '../../trace/open.ts';
import type { LineOptions } from '../report/options.ts';
import type { NotedPiece } from '../text/part-notes.ts';

/** An input as a thread opens it. */
export interface ThreadInput {
  readonly path: string;
  readonly totalBytes: number;
  readonly label: string | undefined;
  readonly timeOffset: bigint;
  readonly clockHz: number | undefined;
  readonly filter: Omit<EventFilter, 'functionAt'>;
  /** Whether its filter asks for names of functions. */
  readonly namesFunctions: boolean;
}

/** What a thread is told when it starts. */
export interface ThreadSetup {
  readonly inputs: readonly ThreadInput[];
  readonly lines: LineOptions;
  readonly withoutFlags: number;
  /** Times are relative to this one. */
  readonly alignTo: bigint | undefined;
}

/** A part to print: what comes from `from` on and before `until`, by the times of the report. */
export interface PartOrder {
  readonly from: bigint | undefined;
  readonly until: bigint | undefined;
  /** For each buffer of each input, the steps at which its CPUs begin. */
  readonly steps: ReadonlyMap<string, readonly number[]>;
}

/** The key of a buffer in `steps`. */
export function bufferKey(input: number, buffer: string): string {
  return `${input} ${buffer}`;
}

export type ToThread =
  | { readonly kind: 'print'; readonly order: PartOrder }
  /** A piece that was written: its memory can be used again. */
  | { readonly kind: 'used'; readonly memory: number };

/** Some text of a part. */
export interface TextPiece extends NotedPiece {
  /** The number of the memory that has the text. */
  readonly memory: number;
  /** That memory, if it is a new one, or is not used again. */
  readonly bytes: Uint8Array | undefined;
  readonly length: number;
  /** Event types that are printed as fields for the first time, with the reasons. */
  readonly said: readonly (readonly [name: string, reason: string])[];
  /** Whether the text may be another one than in the whole. */
  readonly isDoubtful: boolean;
}

/** What a thread sends about a part: one `begin`, some `text`, one `end`; or `failed` at any time. */
export type FromThread =
  /** Where each CPU's events begin, in the same order for all parts. */
  | { readonly kind: 'begin'; readonly edges: readonly string[] }
  | { readonly kind: 'text'; readonly piece: TextPiece }
  /** Where they end; the time of the last line, for `--ts-diff`, undefined if there is none. */
  | { readonly kind: 'end'; readonly edges: readonly string[]; readonly lastTime: bigint | undefined }
  | { readonly kind: 'failed' };
