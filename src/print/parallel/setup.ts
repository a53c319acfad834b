import { resolve } from 'node:path';
import type { EventFilter } from '../../trace/open.ts';
import type { LineOptions, ReportInput, ReportOptions } from '../report/options.ts';
import { firstTime } from '../report/report.ts';
import { printersOf, streamsOf } from '../report/stream.ts';
import type { ThreadInput, ThreadSetup } from './messages.ts';

/** What a printing thread must know, as plain data. Reads the first events for `--align-ts`. Throws Failure. */
export async function setupOf(
  inputs: readonly ReportInput[],
  filters: readonly EventFilter[],
  options: ReportOptions,
): Promise<ThreadSetup> {
  return {
    inputs: inputs.map(({ trace, label, timeOffset, clockHz }, index) => ({
      path: resolve(trace.path),
      totalBytes: trace.source.totalBytes,
      label,
      timeOffset,
      clockHz,
      filter: plainFilter(filters[index]!),
      namesFunctions: filters[index]!.functionAt !== undefined,
    })),
    lines: plainLines(options),
    withoutFlags: options.withoutFlags,
    alignTo: options.alignTimes ? await startOf(inputs, options) : undefined,
  };
}

function plainFilter(filter: EventFilter): ThreadInput['filter'] {
  const { from, to, cpus, events, tasks, where, exclude, buffers } = filter;
  const lists = { cpus, events, tasks, where, exclude, buffers };
  const given = Object.entries(lists).flatMap(([name, list]) => (list ? [[name, [...list]]] : []));
  return {
    ...(from !== undefined && { from }),
    ...(to !== undefined && { to }),
    ...Object.fromEntries(given),
  };
}

function plainLines(options: LineOptions): LineOptions {
  const { nanoseconds, rawTimes, latency, raw, rawEvents, noPlugins, noHandlerEvents } = options;
  const { timeDifference, handlers } = options;
  return {
    nanoseconds,
    rawTimes,
    latency,
    raw,
    rawEvents,
    noPlugins,
    noHandlerEvents,
    timeDifference,
    handlers,
  };
}

/** The time of the first event. */
async function startOf(inputs: readonly ReportInput[], options: ReportOptions): Promise<bigint | undefined> {
  const streams = streamsOf(
    inputs,
    options,
    printersOf(inputs, options, () => {}),
  );
  try {
    for (const stream of streams) await stream.load();
    return firstTime(streams);
  } finally {
    for (const stream of streams) await stream.close();
  }
}
