import type { HandlerOptions } from '../handlers/handler.ts';

/** How a report looks; named by trace-cmd's options. */
export interface LineOptions {
  /** `-t`: nanoseconds. */
  readonly nanoseconds: boolean;
  /** `--raw-ts`: times as the clock counts them. */
  readonly rawTimes: boolean;
  /** `-l`: the latency format. */
  readonly latency: boolean;
  /** `-R`: fields in place of the print format. */
  readonly raw: boolean;
  /** `-r`: the same for events whose name or system matches one of these. */
  readonly rawEvents: readonly RegExp[];
  /** `-N`: without the ways of printing that plugins have. */
  readonly noPlugins: boolean;
  /** `-n`: the same for events that match. */
  readonly noHandlerEvents: readonly RegExp[];
  /** `--ts-diff`: time since the line before. */
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
