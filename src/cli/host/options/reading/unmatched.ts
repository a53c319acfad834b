import { exitCode, Failure } from '../../../../base/failure.ts';
import { printable, quoted } from '../../../../base/quoted.ts';
import type { EventFilter, Trace } from '../../../../trace/open.ts';
import { cpuRanges } from '../../../report/human.ts';
import type { TimePoint } from './time-point.ts';

/** How to warn about a trace. `warn` receives one line for a terminal, without the program's name. */
export interface Warnings {
  readonly warn: (text: string) => void;
  /** Whether the trace is still being recorded: if so, later events may still follow. */
  readonly mayGrow: boolean;
}

export const warningsOnStderr: Warnings = {
  warn: (text) => process.stderr.write(`trace-host: ${text}\n`),
  mayGrow: false,
};

/**
 * Warns when a selection asks for something that the trace does not have: CPUs, or times before its first or after its
 * last event. Otherwise, a user might misunderstand an empty result. Reads the first and last pages if a time is given.
 * Blocks.
 * @param points the times on the command line
 * @param shift offset that the command adds to printed times
 */
export function warnOfUnmatched(
  trace: Trace,
  filter: EventFilter,
  points: readonly (TimePoint | undefined)[],
  shift: bigint,
  { warn, mayGrow }: Warnings,
): void {
  const { cpus, times } = trace.unmatched(mayGrow ? onlyCpus(filter) : filter);
  const path = printable(trace.path);
  const say = (message: string, remedy: string): void => warn(`${message} — ${remedy}`);
  if (cpus.length > 0)
    say(
      `${path} does not have CPU ${cpuRanges(cpus)}`,
      trace.cpus.length === 0 ? 'it has none' : `its CPUs are ${cpuRanges(trace.cpus)}`,
    );
  if (times === undefined) return;
  const { first, last } = times;
  const buffers = filter.buffers && new Set(filter.buffers);
  const buffer = trace.buffers.find(({ name }) => buffers?.has(name) ?? true);
  const given = points.flatMap((point) => (point === undefined ? [] : [point.given])).join(' ');
  const text = (time: bigint): string => printedTime(time + shift, buffer?.timeUnit === 'ns');
  const why =
    filter.from !== undefined && filter.to !== undefined && filter.from > filter.to
      ? 'the first time is after the second'
      : `its events are from ${text(first)} to ${text(last)}`;
  say(`${path} has no event for ${given}`, why);
}

/** Checks that each selected instance is in at least one of the traces. Throws Failure (usage). */
export function checkInstances(traces: readonly Trace[], { buffers = [] }: EventFilter): void {
  const known = new Set(traces.flatMap((trace) => trace.buffers.map(({ name }) => name)));
  for (const name of buffers)
    if (!known.has(name))
      throw new Failure(
        exitCode.usage,
        `${traces.map(({ path }) => path).join(', ')} has no buffer ${quoted(name)}`,
        `it has ${[...known].map(quoted).join(', ')}`,
      );
}

function onlyCpus({ cpus }: EventFilter): EventFilter {
  return cpus === undefined ? {} : { cpus };
}

/** A time as the report prints it. */
function printedTime(time: bigint, isNs: boolean): string {
  if (!isNs) return String(time);
  const us = (time + 500n) / 1000n;
  return `${us / 1_000_000n}.${String(us % 1_000_000n).padStart(6, '0')}`;
}
