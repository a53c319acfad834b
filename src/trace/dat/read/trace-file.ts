import type { Symbols } from '../../metadata/symbols.ts';
import type { CpuExtent } from '../cpu-data.ts';

/** The contents of a trace.dat except its pages. */
export interface TraceFile {
  readonly version: 6 | 7;
  readonly compression: 'none' | 'zstd';
  readonly headerPage: string;
  /** Format texts by tracefs path; a number stands for the event's directory, which the file does not name. */
  readonly formats: ReadonlyMap<string, string>;
  readonly symbols: Symbols;
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
}

export function noOptions(): TraceOptions {
  return { cpuStats: [], uname: '', writer: '', traceId: undefined, traceClock: '' };
}
