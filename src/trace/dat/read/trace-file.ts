import type { Symbols } from '../../metadata/symbols.ts';
import type { CpuExtent } from '../cpu-data.ts';
import type { TracedGuest } from '../guest-option.ts';
import type { TimeShift } from '../time-shift.ts';

/** The contents of a trace.dat except its pages. */
export interface TraceFile {
  readonly version: 6 | 7;
  readonly compression: 'none' | 'zstd';
  readonly headerPage: string;
  /** Format texts by tracefs path; a number stands for the event's directory, which the file does not name. */
  readonly formats: ReadonlyMap<string, string>;
  readonly symbols: Symbols;
  /** Text of kallsyms; read when called. Blocks. Throws TraceFileError. */
  readonly kallsyms: () => Buffer;
  /** Text of `printk_formats`; read when called, as `kallsyms`. */
  readonly printkFormats: () => Buffer;
  /** Text of `saved_cmdlines`. */
  readonly taskNames: string;
  readonly options: TraceOptions;
  /** One per tracing instance; the top level's name is empty. */
  readonly buffers: readonly TraceBuffer[];
  readonly places: OptionPlaces;
}

/** Where a file has its options, and what refers to places behind them, for a copy with other options. */
export type OptionPlaces =
  | {
      readonly version: 6;
      /** Offset of the first option, and of the 0 that ends them; undefined for a file without options. */
      readonly options: { readonly from: number; readonly to: number } | undefined;
      /** End of what must be at the beginning: the table of the top level's pages, and its clock. */
      readonly headEnd: number;
      /** Offsets of the tables of all instances' pages, the top level's first. */
      readonly tables: readonly number[];
    }
  | {
      readonly version: 7;
      /** Offset of the first section's offset. */
      readonly pointer: number;
      /** Offsets of the sections. */
      readonly sections: readonly number[];
    };

export interface TraceBuffer {
  readonly name: string;
  /** Name of the trace clock; empty if the file does not give it. */
  readonly clock: string;
  readonly cpus: readonly CpuExtent[];
}

/** Option values, collected while reading. */
export interface TraceOptions {
  /** Texts of the guest's `stats` files, each after a line `CPU: N`. */
  readonly cpuStats: string[];
  uname: string;
  writer: string;
  traceId: bigint | undefined;
  /** Text of `trace_clock`. */
  traceClock: string;
  /** Offset to add to all times, as stored by `trace-cmd record --date`; 0 for none. */
  timeOffset: bigint;
  /** Highest CPU of the traced machine + 1; undefined if not in the file. */
  cpuCount: number | undefined;
  /** How to convert the times to host times; undefined if they are not converted. */
  timeShift: TimeShift | undefined;
  /** The guests that were traced together with this host. */
  readonly guests: TracedGuest[];
}

export function noOptions(): TraceOptions {
  return {
    cpuStats: [],
    uname: '',
    writer: '',
    traceId: undefined,
    traceClock: '',
    timeOffset: 0n,
    cpuCount: undefined,
    timeShift: undefined,
    guests: [],
  };
}
