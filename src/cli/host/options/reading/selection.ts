import { parseCpuList } from '../../../../base/cpu-list.ts';
import { exitCode, Failure } from '../../../../base/failure.ts';
import { quoted } from '../../../../base/quoted.ts';
import { maxPid } from '../../../../protocol/trace-request.ts';
import { functionNames } from '../../../../print/symbols/function-names.ts';
import type { EventFilter, Trace } from '../../../../trace/open.ts';
import { parseFileName } from '../../../options/names.ts';
import { parseFlag, type Setting } from '../../../options/setting.ts';
import { lines } from '../trace-settings.ts';
import { parseTimePoint, type TimePoint, timeOf } from './time-point.ts';
import { warningsOnStderr, warnOfUnmatched } from './unmatched.ts';

/**
 * Options that select events, for the commands that read a trace. Some names have another meaning in other commands.
 */
export const selectionSettings = {
  onlyCpus: {
    long: 'cpu',
    placeholder: 'LIST',
    description: 'only events of these CPUs of the guest, e.g. 0-3,6',
    otherNames: ['cpus'],
    parse: parseCpuList,
  },
  onlyTasks: {
    long: 'task',
    placeholder: 'TASK',
    description: 'only events while this task was running, a name or a thread id; may be repeated',
    otherNames: ['pid', 'tid', 'comm', 'process', 'thread'],
    repeatable: true,
    parse: (text: string, name: string) => lines(text).map((task) => parseTask(task, name)),
  },
  onlyEvents: {
    long: 'event',
    placeholder: 'EVENT',
    description: 'only these events, system:event or a whole system; may be repeated',
    repeatable: true,
    parse: (text: string, name: string) => lines(text).map((event) => parseEvent(event, name)),
  },
  where: {
    short: 'F',
    long: 'filter',
    otherNames: ['where', 'grep'],
    placeholder: 'FILTER',
    description:
      'only events that pass this filter or another one given by -F, e.g. "sched_switch: prev_prio < 100"',
    repeatable: true,
    parse: lines,
  },
  from: {
    long: 'from',
    otherNames: ['since', 'start', 'begin', 'after'],
    placeholder: 'TIME',
    description:
      'only events from this time on: 12.345678 as printed, +2.5s after the first event, or "last 2s"',
    parse: parseTimePoint,
  },
  to: {
    long: 'to',
    otherNames: ['until', 'end', 'before'],
    placeholder: 'TIME',
    description: 'only events up to this time, in the same forms',
    parse: parseTimePoint,
  },
  onlyInstances: {
    long: 'instance',
    otherNames: ['buffer'],
    placeholder: 'NAME',
    description: 'only events of this tracing instance; may be repeated; "" is the top level (default: all)',
    repeatable: true,
    parse: (text: string, name: string) =>
      lines(text).map((instance) => (instance === '' ? '' : parseFileName(instance, name))),
  },
} satisfies Readonly<Record<string, Setting<unknown>>>;

/** Names of the settings for all commands that select events. */
export const selectionNames = [
  'onlyCpus',
  'onlyTasks',
  'onlyEvents',
  'where',
  'from',
  'to',
  'onlyInstances',
] as const satisfies readonly (keyof typeof selectionSettings)[];

/** `-v` of trace-cmd report, for commands that have it: filters after it exclude events. */
export const excludeSetting = {
  short: 'v',
  long: 'exclude',
  description: 'exclude events that pass one of the filters after this option',
  defaultText: 'false',
  parse: parseFlag,
} satisfies Setting<boolean>;

/** Which events a command line selects. Times depend on the trace, see `eventFilter`. */
export interface Selection {
  readonly filter: Omit<EventFilter, 'from' | 'to'>;
  readonly from: TimePoint | undefined;
  readonly to: TimePoint | undefined;
}

/** The options given on a command line; `Given` has this shape. */
interface GivenOptions {
  get<Value>(setting: Setting<Value>): Value | undefined;
  readonly sequence: readonly { readonly name: string; readonly text: string }[];
}

/**
 * Reads the options that select events. Throws Failure (usage).
 * @param excludeName the name that `excludeSetting` has among the command's settings; undefined if the command does not
 * have it
 */
export function readSelection(given: GivenOptions, excludeName?: string): Selection {
  return selectionUpTo(given, given.get(selectionSettings.to), excludeName);
}

/** As above, for a command that parses `--to` itself. */
export function selectionUpTo(
  given: GivenOptions,
  to: TimePoint | undefined,
  excludeName?: string,
): Selection {
  const cpus = given.get(selectionSettings.onlyCpus);
  const tasks = given.get(selectionSettings.onlyTasks);
  const events = given.get(selectionSettings.onlyEvents);
  const buffers = given.get(selectionSettings.onlyInstances);
  const { where, exclude } = filtersOf(given.sequence, excludeName);
  return {
    filter: {
      ...(cpus && { cpus }),
      ...(tasks && { tasks }),
      ...(events && { events }),
      ...(buffers && { buffers }),
      ...(where.length > 0 && { where }),
      ...(exclude.length > 0 && { exclude }),
    },
    from: given.get(selectionSettings.from),
    to,
  };
}

/** The filters before and after `-v`, in the order of the command line. */
function filtersOf(
  sequence: GivenOptions['sequence'],
  excludeName: string | undefined,
): { readonly where: readonly string[]; readonly exclude: readonly string[] } {
  const where: string[] = [];
  const exclude: string[] = [];
  let into = where;
  for (const { name, text } of sequence) {
    if (name === excludeName) into = exclude;
    else if (name === 'where') into.push(text);
  }
  return { where, exclude };
}

/**
 * The filter for `trace.events()`. Reads the first and last pages if a time is relative. Filters read the guest's
 * symbols when they first need a function name. Warns of CPUs and times that the trace does not have. Blocks. Throws
 * Failure, also if the selected buffers count time in different units.
 * @param shift offset that the command adds to printed times
 */
export function eventFilter(
  trace: Trace,
  selection: Selection,
  shift = trace.source.timeOffset,
  warnings = warningsOnStderr,
): EventFilter {
  const filter = filterOf(trace, selection, shift);
  warnOfUnmatched(trace, filter, [selection.from, selection.to], shift, warnings);
  return filter;
}

function filterOf(trace: Trace, { filter, from, to }: Selection, shift: bigint): EventFilter {
  const isFiltered = filter.where !== undefined || filter.exclude !== undefined;
  const whole = { ...filter, ...(isFiltered && { functionAt: functionNames(trace) }) };
  if (from === undefined && to === undefined) return whole;
  const unit = timeUnit(trace, filter.buffers);
  const isRelative = [from, to].some((point) => point !== undefined && point.base !== 'zero');
  const span = isRelative ? trace.span(filter) : undefined;
  // no event has a selected CPU and buffer, so the times do not matter
  if (isRelative && span === undefined) return whole;
  const time = (point: TimePoint, side: 'from' | 'to'): bigint =>
    timeOf(point, side, unit, span) - (point.base === 'zero' ? shift : 0n);
  return { ...whole, ...(from && { from: time(from, 'from') }), ...(to && { to: time(to, 'to') }) };
}

function timeUnit(trace: Trace, names: Iterable<string> | undefined): 'ns' | null {
  const wanted = names && new Set(names);
  const buffers = trace.buffers.filter(({ name }) => wanted?.has(name) ?? true);
  const units = new Set(buffers.map(({ timeUnit }) => timeUnit));
  if (units.size <= 1) return buffers[0]?.timeUnit ?? null;
  const clocks = buffers.map(({ name, clock }) => `${quoted(name)} ${clock}`).join(', ');
  throw new Failure(
    exitCode.usage,
    `${trace.path}: its buffers count time in different units: ${clocks}`,
    'select one with --instance',
  );
}

/** Parses a name or a thread id. Throws Failure (usage). */
export function parseTask(text: string, name: string): number | string {
  if (text === '')
    throw new Failure(exitCode.usage, `${name}: a task is empty`, 'give a name or a thread id');
  if (!/^[-+]?\d+$/.test(text)) return text;
  const id = Number(text);
  if (/^\d/.test(text) && id <= maxPid) return id;
  throw new Failure(
    exitCode.usage,
    `${name}: no kernel has a thread ${quoted(text)}`,
    `use an id up to ${maxPid}`,
  );
}

function parseEvent(text: string, name: string): string {
  if (/^[^\s:/]+(?:[:/][^\s:/]+)?$/.test(text)) return text.replace('/', ':');
  throw new Failure(
    exitCode.usage,
    `${name}: ${quoted(text)} is not an event`,
    'use system:event or a system',
  );
}
