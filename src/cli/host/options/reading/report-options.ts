import { availableParallelism } from 'node:os';
import { exitCode, Failure } from '../../../../base/failure.ts';
import { quoted } from '../../../../base/quoted.ts';
import { defaultHandlerOptions, type LineOptions } from '../../../../print/report/options.ts';
import type { ColorChoice } from '../../../report/line-colors.ts';
import type { Given } from '../given.ts';
import { hostSettings } from '../host-settings.ts';
import { readSelection, type Selection } from './selection.ts';

/** What to print instead of events. */
export type Listing =
  | 'functions'
  | 'printk'
  | 'event-names'
  | 'formats'
  | 'endian'
  | 'cpus'
  | 'filters'
  | 'statistics'
  | 'uname'
  | 'version'
  | 'check-events';

export interface ReportFile {
  readonly path: string;
  readonly timeOffset: bigint;
  readonly clockHz: number | undefined;
}

export interface ReportCommand {
  readonly files: readonly ReportFile[];
  readonly lines: LineOptions;
  readonly selection: Selection;
  readonly listing: Listing | undefined;
  readonly firstEvent: boolean;
  readonly lastEvent: boolean;
  readonly withoutHardirq: boolean;
  readonly withoutSoftirq: boolean;
  readonly wakeups: boolean;
  readonly timeCheck: boolean;
  readonly alignTimes: boolean;
  readonly noDate: boolean;
  readonly quiet: boolean;
  readonly json: boolean;
  readonly color: ColorChoice;
  /** Threads that print. */
  readonly threads: number;
  /** Whether the input is still being recorded. */
  readonly follow: boolean;
}

/** Maximum number of threads by default; more are used only if asked for, because each takes memory. */
const mostUsualThreads = 4;

/** The file to read if none is given. */
export const defaultInput = 'trace.dat';

/** Throws Failure (usage). */
export function readReport(given: Given): ReportCommand {
  const files = filesOf(given);
  const selection = readSelection(given, 'exclude');
  const wakeups = given.flag('wakeups');
  if (wakeups && files.length > 1)
    throw new Failure(exitCode.usage, '-w works with a single file', 'omit -w or the other files');
  const json = given.flag('json');
  if (json && files.length > 1)
    throw new Failure(exitCode.usage, '--json works with a single file', 'run it once for each file');
  if (json) checkJson(given);
  const follow = given.flag('follow');
  if (follow && files.length > 1)
    throw new Failure(exitCode.usage, '--follow works with a single recording', 'run it once for each');
  if (follow && json)
    throw new Failure(exitCode.usage, '--follow conflicts with --json', 'omit one of the two options');
  return {
    files,
    lines: {
      nanoseconds: given.flag('nanoseconds'),
      rawTimes: given.flag('rawTimes'),
      latency: given.flag('latency'),
      raw: given.flag('raw'),
      rawEvents: given.get(hostSettings.rawEvents) ?? [],
      noPlugins: given.flag('withoutPlugins') || given.flag('localPlugins'),
      noHandlerEvents: given.get(hostSettings.plainEvents) ?? [],
      timeDifference: given.flag('timeDifference'),
      handlers: handlerOptions(given.get(hostSettings.pluginOptions) ?? []),
    },
    selection,
    listing: listingOf(given, selection),
    firstEvent: given.flag('firstEvent'),
    lastEvent: given.flag('lastEvent'),
    withoutHardirq: given.flag('withoutHardirq'),
    withoutSoftirq: given.flag('withoutSoftirq'),
    wakeups,
    timeCheck: given.flag('timeCheck'),
    alignTimes: given.flag('alignTimes'),
    noDate: given.flag('noDate'),
    quiet: given.flag('quiet'),
    json,
    color: given.read(hostSettings.color),
    threads: given.get(hostSettings.threads) ?? Math.min(availableParallelism(), mostUsualThreads),
    follow,
  };
}

/** Options that select events, or add to their text, in a way that `--json` does not support. */
const textOnly = [
  'withoutHardirq',
  'withoutSoftirq',
  'wakeups',
  'timeCheck',
  'alignTimes',
  'raw',
  'latency',
] as const;

function checkJson(given: Given): void {
  const listing = listings.find(([name]) => given.flag(name))?.[0];
  const other = listing ?? textOnly.find((name) => given.flag(name));
  if (other === undefined) return;
  const { long } = hostSettings[other];
  throw new Failure(exitCode.usage, `--json conflicts with --${long}`, 'omit one of the two options');
}

/** `--ts-offset` and `--ts2secs` apply to the preceding `-i`; `--ts2secs` before any `-i` applies to all. */
function filesOf(given: Given): ReportFile[] {
  const files: { path: string; timeOffset: bigint; clockHz: number | undefined }[] = [];
  let clockHz: number | undefined;
  const one = <Value>(values: readonly Value[]): Value => values[0]!;
  for (const { name, text } of given.sequence) {
    const last = files.at(-1);
    if (name === 'reportInputs')
      files.push({
        path: one(hostSettings.reportInputs.parse(text, '--input')),
        timeOffset: 0n,
        clockHz: undefined,
      });
    else if (name === 'timeOffset') {
      if (last === undefined)
        throw new Failure(exitCode.usage, '--ts-offset must come after -i', 'use -i FILE --ts-offset N');
      last.timeOffset = one(hostSettings.timeOffset.parse(text, '--ts-offset'));
    } else if (name === 'clockHz') {
      const hz = one(hostSettings.clockHz.parse(text, '--ts2secs'));
      if (last === undefined) clockHz = hz;
      else last.clockHz = hz;
    }
  }
  for (const path of given.operands) files.push({ path, timeOffset: 0n, clockHz: undefined });
  if (files.length === 0) files.push({ path: defaultInput, timeOffset: 0n, clockHz: undefined });
  return files.map((file) => ({ ...file, clockHz: file.clockHz ?? clockHz }));
}

function handlerOptions(words: readonly string[]): LineOptions['handlers'] {
  const options: Record<keyof LineOptions['handlers'], boolean> = { ...defaultHandlerOptions };
  for (const word of words) {
    const [, name = '', value] = /^(?:[^:=]*:)?([^=]*)(?:=(.*))?$/.exec(word) ?? [];
    if (!(name in options))
      throw new Failure(
        exitCode.usage,
        `--option: ${quoted(word)} is unknown`,
        `the options are ${Object.keys(options).join(', ')}`,
      );
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- checked above
    options[name as keyof typeof options] = isOn(value);
  }
  return options;
}

/** Parses the value of a flag as libtraceevent does. */
function isOn(value: string | undefined): boolean {
  return value === undefined || /^(?:1|true|yes|on|set)?$/i.test(value);
}

/** Options that list something, in trace-cmd's order of precedence. */
const listings = [
  ['endianness', 'endian'],
  ['listFormats', 'formats'],
  ['checkEvents', 'check-events'],
  ['listFunctions', 'functions'],
  ['listPrintk', 'printk'],
  ['listEvents', 'event-names'],
  ['listCpus', 'cpus'],
  ['firstEvent', 'cpus'],
  ['lastEvent', 'cpus'],
  ['testFilters', 'filters'],
  ['writer', 'version'],
  ['uname', 'uname'],
  ['statistics', 'statistics'],
] as const satisfies readonly (readonly [keyof typeof hostSettings, Listing])[];

function listingOf(given: Given, { filter }: Selection): Listing | undefined {
  const isFiltered = filter.where !== undefined || filter.exclude !== undefined;
  // without a filter, trace-cmd ignores -T
  return listings.find(([name]) => given.flag(name) && (name !== 'testFilters' || isFiltered))?.[1];
}
