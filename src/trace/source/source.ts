import type { TracedGuest } from '../dat/guest-option.ts';
import type { RecordedPause } from '../dat/pause-note.ts';
import type { TimeShift } from '../dat/time-shift.ts';
import type { EventCatalogue } from '../format/event-catalogue.ts';
import type { Symbols } from '../metadata/symbols.ts';
import type { TopLevelLine } from '../metadata/unseen.ts';
import type { Recording } from '../recording/recording-format.ts';
import type { PageLayout } from '../ring/page-layout.ts';

/** A readable trace: its metadata, and access to its pages. Texts are untrusted input from the guest. */
export interface TraceSource {
  readonly path: string;
  readonly kind: 'trace.dat' | 'recording';
  /** trace.dat format; undefined for a recording. */
  readonly format: { readonly version: 6 | 7; readonly compression: 'none' | 'zstd' } | undefined;
  /** Size of the file; for a recording, of its raw pages and metadata. */
  readonly totalBytes: number;
  readonly layout: PageLayout;
  readonly catalogue: EventCatalogue;
  /** `uname` of the guest; empty if unknown. */
  readonly uname: string;
  /** The program that wrote the file; empty if unknown. */
  readonly writer: string;
  readonly traceId: bigint | undefined;
  /** How to convert the times to host times; undefined if they are not converted. */
  readonly timeShift: TimeShift | undefined;
  /** The guests that were traced together with this host. */
  readonly guests: readonly TracedGuest[];
  /** When this guest was paused, by the host's trace clock; undefined if nothing is known. */
  readonly pauses: readonly RecordedPause[] | undefined;
  readonly symbols: Symbols;
  /** Top-level lines that went to other buffers; null if unknown. */
  readonly unseen: readonly TopLevelLine[] | null;
  /** Text of kallsyms and of `printk_formats`; empty if missing. Read when called, which may block. Throws Failure. */
  readonly kallsyms: () => Buffer;
  readonly printkFormats: () => Buffer;
  /** Format files by path, in the order of the file; in a trace.dat a number stands for the event's directory. */
  readonly formatTexts: () => Iterable<readonly [path: string, text: string]>;
  /** Texts of the `stats` files, each after a line `CPU: N`. */
  readonly statTexts: readonly string[];
  /** Offset to add to all times; 0 for none. */
  readonly timeOffset: bigint;
  /** Number of CPUs as trace-cmd counts them: highest + 1. */
  readonly cpuCount: number;
  /** Text of `saved_cmdlines`: a line `PID NAME` for each task. */
  readonly taskNames: string;
  /** Text of `saved_tgids`: a line `TID TGID` for each task; empty if unknown, as in every trace.dat. */
  readonly taskGroups: string;
  /** A line `TID NAME TGID PPID` for each task of the guest at the end; empty if unknown, as in every trace.dat. */
  readonly processes: string;
  /** Text of `per_cpu/cpuN/stats` by CPU, for the traced instance; empty if unknown. */
  readonly cpuStats: ReadonlyMap<number, string>;
  readonly buffers: readonly SourceBuffer[];
  readonly recording: Recording | undefined;
  close(): Promise<void>;
}

/** One tracing instance; the name of the top level is empty. */
export interface SourceBuffer {
  readonly name: string;
  /** Name of the trace clock; empty if unknown. */
  readonly clock: string;
  readonly cpus: readonly SourceCpu[];
}

export interface SourceCpu {
  readonly cpu: number;
  /** Size as stored, compressed or not. */
  readonly dataBytes: number;
  /** Offset of the pages in a trace.dat that is not compressed. */
  readonly offset?: number;
  /** Whether the data are compressed: then each block is a chunk, and so is each step. */
  readonly isChunked: boolean;
  /**
   * The pages in blocks of whole pages, except that the last page may be cut off. A block is valid until the next one
   * is requested. Reading blocks the thread. May be called again. Throws Failure.
   * @param blockBytes size of a block where the data are not compressed; a power of two, at least one page
   * @param step where to begin, one of `steps`
   * @param into used for the blocks if it has their size and the data are not compressed
   */
  readonly blocks: (blockBytes?: number, step?: number, into?: Buffer) => AsyncIterable<Uint8Array>;
  /** Where reading can begin. Reads the chunk lengths of compressed data, otherwise nothing. Throws Failure. */
  readonly steps: () => PageSteps;
}

/** The places where reading can begin: the pages, or the chunks of compressed data. */
export interface PageSteps {
  readonly count: number;
  /**
   * The step's chunk, or one or two pages from it on. Empty or cut off if the file is. Reading blocks. Throws Failure.
   */
  readonly read: (step: number) => Uint8Array;
}
