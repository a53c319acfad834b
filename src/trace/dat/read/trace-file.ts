import type { Symbols } from '../../metadata/symbols.ts';
import type { CpuExtent } from '../cpu-data.ts';

/** What a trace.dat says of itself, without its pages. */
export interface TraceFile {
  readonly version: 6 | 7;
  readonly compression: 'none' | 'zstd';
  readonly headerPage: string;
  /** Format texts by path, as in tracefs; the event's directory is a number here, as the file does not tell it. */
  readonly formats: ReadonlyMap<string, string>;
  readonly symbols: Symbols;
  /** Text of `saved_cmdlines`. */
  readonly taskNames: string;
  readonly options: TraceOptions;
  /** Pages of one tracing instance each; the top one's name is empty. */
  readonly buffers: readonly TraceBuffer[];
}

export interface TraceBuffer {
  readonly name: string;
  /** Name of the trace clock; empty when the file does not tell. */
  readonly clock: string;
  readonly cpus: readonly CpuExtent[];
}

/** What options say, collected while they are read. */
export interface TraceOptions {
  /** Texts of the guest's `stats` files, each behind a line `CPU: N`. */
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
