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
}

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
