import { basename } from 'node:path';
import { type ExitCode, exitCode } from '../../../base/failure.ts';
import { printable } from '../../../base/quoted.ts';
import {
  cpuList,
  eventList,
  filterList,
  formatList,
  functionList,
  printkList,
  statistics,
  unusableFormats,
} from '../../../print/report/listings.ts';
import type { ReportInput } from '../../../print/report/options.ts';
import { parallelReport } from '../../../print/parallel/parallel-report.ts';
import { traceFlag } from '../../../print/report/latency-flags.ts';
import { openTrace, type Trace } from '../../../trace/open.ts';
import type { ReportCommand, ReportFile } from '../options/reading/report-options.ts';
import { eventFilter } from '../options/reading/selection.ts';
import { checkInstances } from '../options/reading/unmatched.ts';
import { onEndSignals } from '../../../base/end-signals.ts';
import { followedRecording } from './followed-recording.ts';
import { codeOfWriteError } from './write-error.ts';
import { LineColors, wantsColor } from '../../report/line-colors.ts';
import { textOutput } from '../../report/text-output.ts';

/** Prints events, or a listing, as trace-cmd report does. Throws Failure. */
export async function runReport(command: ReportCommand): Promise<ExitCode> {
  const inputs: ReportInput[] = [];
  try {
    for (const file of command.files) inputs.push(await open(file, command));
    if (command.listing !== undefined) return await list(inputs, command);
    checkInstances(
      inputs.map(({ trace }) => trace),
      command.selection.filter,
    );
    return await (command.json ? printJson(inputs, command) : printEvents(inputs, command));
  } catch (error) {
    return codeOfWriteError(error);
  } finally {
    for (const { trace } of inputs) await trace.close();
  }
}

async function open({ path, timeOffset, clockHz }: ReportFile, command: ReportCommand): Promise<ReportInput> {
  const settings = { hostTimes: !command.lines.rawTimes };
  const trace = await openTrace(command.follow ? await followedRecording(path) : path, settings);
  const fileOffset = command.noDate ? 0n : trace.source.timeOffset;
  return { trace, label: basename(path), timeOffset: timeOffset + fileOffset, clockHz };
}

async function printEvents(inputs: readonly ReportInput[], command: ReportCommand): Promise<ExitCode> {
  const warn = (text: string): void => {
    if (!command.quiet) process.stderr.write(`trace-host: ${text}\n`);
  };
  const said = new Set<string>();
  await parallelReport(
    inputs,
    {
      ...command.lines,
      filterOf: ({ trace, timeOffset }) =>
        eventFilter(trace, command.selection, timeOffset, { warn, mayGrow: command.follow }),
      withoutFlags:
        (command.withoutHardirq ? traceFlag.hardirq : 0) | (command.withoutSoftirq ? traceFlag.softirq : 0),
      ...(command.follow && { follow: { signal: await endSignal() } }),
      wakeups: command.wakeups,
      alignTimes: command.alignTimes,
      ...(command.timeCheck && {
        onStepBack: (cpu, before, after) =>
          warn(
            `WARNING: Record on cpu ${cpu} went backwards: ${before} to ${after} delta: -${before - after}`,
          ),
      }),
    },
    { threads: command.threads },
    textOutput(process.stdout, painter(inputs, command)),
    (name, reason) => {
      if (said.has(name)) return;
      said.add(name);
      warn(`${printable(name)} is not printed as text: ${printable(reason)}`);
    },
  );
  return exitCode.done;
}

/** A function that colors lines; undefined if colors are not wanted. */
function painter(
  inputs: readonly ReportInput[],
  { color }: ReportCommand,
): ((bytes: Uint8Array) => Uint8Array) | undefined {
  if (!wantsColor(color, process.stdout.isTTY)) return undefined;
  const formats = inputs.flatMap(({ trace }) => trace.formats());
  const colors = new LineColors(new Map(formats.map(({ name, system }) => [name, system])));
  return (bytes) => colors.color(bytes);
}

/** Prints one JSON object per event, with typed fields. */
async function printJson([input]: readonly ReportInput[], command: ReportCommand): Promise<ExitCode> {
  const { trace, timeOffset } = input!;
  const { exportNdjson } = await import('../../../export/text/export-ndjson.ts');
  await exportNdjson(trace, process.stdout, { filter: eventFilter(trace, command.selection, timeOffset) });
  return exitCode.done;
}

/** Aborted by the first signal, to print the events read so far; the second one ends the process immediately. */
async function endSignal(): Promise<AbortSignal> {
  const { exitNow } = await import('../../../native/process/process.ts');
  const ended = new AbortController();
  onEndSignals(
    () => ended.abort(),
    () => exitNow(exitCode.failed),
  );
  return ended.signal;
}

async function list(inputs: readonly ReportInput[], command: ReportCommand): Promise<ExitCode> {
  const write = textOutput(process.stdout);
  let code: ExitCode = exitCode.done;
  for (const { trace, label } of inputs) {
    const text =
      command.listing === 'check-events'
        ? check(trace, command)
        : listing(trace, label, inputs.length, command);
    if (text === undefined) code = exitCode.failed;
    else await write(Buffer.from(text, 'latin1'));
    // trace-cmd prints other listings only for the first file
    if (!['cpus', 'statistics', 'uname', 'version', 'check-events'].includes(command.listing ?? '')) break;
  }
  return code;
}

/** Lists unusable formats on stderr. @returns undefined if there are any */
function check(trace: Trace, command: ReportCommand): '' | undefined {
  const found = unusableFormats(trace, command.lines);
  if (!command.quiet)
    for (const { name, reason } of found)
      process.stderr.write(`trace-host: ${printable(name)}: ${printable(reason)}\n`);
  return found.length === 0 ? '' : undefined;
}

function describe(trace: Trace, what: 'statistics' | 'uname' | 'version'): string {
  if (what === 'statistics') return statistics(trace);
  const { uname, writer } = trace.source;
  return `${what === 'uname' ? `${uname}\n` : ''}${writer}\n`;
}

function listing(trace: Trace, label: string | undefined, inputs: number, command: ReportCommand): string {
  switch (command.listing) {
    case 'functions':
      return functionList(trace);
    case 'printk':
      return printkList(trace);
    case 'event-names':
      return eventList(trace);
    case 'formats':
      return formatList(trace);
    case 'filters': {
      const { where = [], exclude = [] } = command.selection.filter;
      return filterList(trace, [...where, ...exclude]);
    }
    case 'cpus':
      return cpuList(trace, command.firstEvent, command.lastEvent, command.lines);
    case 'statistics':
    case 'uname':
    case 'version': {
      const name = inputs > 1 ? `${label ?? ''}: ` : '';
      return `${name}cpus=${trace.source.cpuCount}\n${describe(trace, command.listing)}`;
    }
    case 'endian':
      return 'file is little endian and host is little endian\n';
    case 'check-events':
    case undefined:
      return '';
    default:
      return command.listing satisfies never;
  }
}
