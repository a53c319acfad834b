import type { EventFilter, Trace } from '../../trace/open.ts';
import type { HandlerOptions } from '../handlers/handler.ts';

/** How a report looks; each field names its trace-cmd option. */
export interface LineOptions {
  /** `-t`: nanoseconds. */
  readonly nanoseconds: boolean;
  /** `--raw-ts`: times in the clock's own unit. */
  readonly rawTimes: boolean;
  /** `-l`: the latency format. */
  readonly latency: boolean;
  /** `-R`: fields instead of the print format. */
  readonly raw: boolean;
  /** `-r`: as `-R`, for events whose name or system matches one of these. */
  readonly rawEvents: readonly RegExp[];
  /** `-N`: without the plugins' handlers. */
  readonly noPlugins: boolean;
  /** `-n`: as `-N`, for events that match. */
  readonly noHandlerEvents: readonly RegExp[];
  /** `--ts-diff`: time since the previous line. */
  readonly timeDifference: boolean;
  /** `-O` */
  readonly handlers: HandlerOptions;
}

export const defaultHandlerOptions: HandlerOptions = {
  parent: false,
  indent: true,
  offset: false,
  tailprint: false,
  depth: false,
};

export const defaultLineOptions: LineOptions = {
  nanoseconds: false,
  rawTimes: false,
  latency: false,
  raw: false,
  rawEvents: [],
  noPlugins: false,
  noHandlerEvents: [],
  timeDifference: false,
  handlers: defaultHandlerOptions,
};

/** One file of a report. */
export interface ReportInput {
  readonly trace: Trace;
  /** Name before each line, if the report has several files. */
  readonly label: string | undefined;
  /** Added to all times, in units of the clock, as `--ts-offset`. */
  readonly timeOffset: bigint;
  /** Frequency of the clock in Hz, to show its times as seconds; undefined for clocks that count nanoseconds. */
  readonly clockHz: number | undefined;
}

export interface ReportOptions extends LineOptions {
  /** Which events of an input to print. */
  readonly filterOf: (input: ReportInput) => EventFilter;
  /** `-I`, `-S`: skip events in hard or soft interrupts. Bits of the latency flags. */
  readonly withoutFlags: number;
  /** `--follow`: the input is a recording in progress. Ends when the recording ends or `signal` is aborted. */
  readonly follow?: { readonly signal: AbortSignal };
  /** `-w`: wakeup latencies; for a single input. */
  readonly wakeups: boolean;
  /** `--ts-check`: reports times that go backwards, through `onStepBack`. */
  readonly onStepBack?: (cpu: number, before: bigint, after: bigint) => void;
  /** `--align-ts`: times since the first event. */
  readonly alignTimes: boolean;
}
