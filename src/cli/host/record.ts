import { onEndSignals } from '../../base/end-signals.ts';
import { type ExitCode, exitCode } from '../../base/failure.ts';
import type {
  GuestReport,
  RecordEnd,
  RecordOptions,
  RecordResult,
  RotatedSet,
} from '../../host/record/contract.ts';
import { Recorder } from '../../host/record/recorder.ts';
import { isWhole } from '../../host/record/whole.ts';
import { exitNow } from '../../native/process/process.ts';
import { json, printable } from '../../base/quoted.ts';
import { countsOf, leftOutOf, remarksOn, reusedIdsOf, summaryOf } from '../report/convert-report.ts';
import type { RecordCommand } from './options/record-options.ts';
import { alignmentText, clockAsJson } from '../report/clock-report.ts';
import { counted, cpuRanges, humanBytes, humanDuration } from '../report/human.ts';
import { LiveText } from '../report/live-text.ts';
import { Printing } from './printing.ts';
import { RecordView } from '../report/record-view.ts';
import { selfCommand } from './self-command.ts';
import { Waiting } from '../report/waiting.ts';

/** Records until the first reason to end, converts to files and reports their contents. Throws Failure. */
export async function runRecord(options: RecordCommand): Promise<ExitCode> {
  const codes: ExitCode[] = [];
  const show = (files: Omit<RecordResult, 'end'>, end: RecordEnd | undefined): void => {
    const { guests, deleted } = files;
    if (options.json) process.stdout.write(`${jsonOf(files, end)}\n`);
    else if (!options.quiet)
      reportTo(options).write(
        [...guests.map(textOf), ...deleted.map((path) => `deleted ${path}\n`)].join(''),
      );
    codes.push(reportProblems(guests));
  };
  const result = await recordMachines(options, (set) => show(set, undefined));
  show(result, result.end);
  if (codes.every((code) => code === exitCode.done)) return exitCode.done;
  return codes.every((code) => code === exitCode.failed) ? exitCode.failed : exitCode.lost;
}

/**
 * Records until the first reason to end and converts to files, with progress on stderr. Throws Failure.
 * @param rotated called for each finished set of files but the last
 */
export async function recordMachines(
  options: RecordCommand,
  rotated: (set: RotatedSet) => void = () => undefined,
): Promise<RecordResult> {
  const live = new LiveText(process.stderr);
  const view = new RecordView(live);
  const say = (text: string): void => {
    if (!options.quiet) live.say(text);
  };
  for (const remark of options.remarks) say(`trace-host: ${remark}`);
  let printing: Printing | undefined;
  const { host, rotation } = options;
  const command = selfCommand();
  const recorder = new Recorder(
    { ...options, host: host && { ...host, command }, rotation: rotation && { ...rotation, command } },
    {
      phase: (text) => say(`${text} …`),
      started: ([dir]) => {
        say(`recording; ${howItEnds(options)}${howItRotates(options)}`);
        if (options.print && dir !== undefined) printing = new Printing(dir);
      },
      removing: async () => printing?.done(),
      rotated: (set) => {
        live.draw([]);
        rotated(set);
      },
      progress: (progress) => {
        if (!options.quiet) view.show(progress);
      },
      ending: (end) => say(`${whyItEnded(end)}; stopping`),
      note: (text) => say(`trace-host: ${printable(text)}`),
    },
  );
  const waiting = new Waiting(live, () => (options.quiet ? undefined : recorder.doing));
  const stopListening = listen(recorder, live, () => printing?.abandon());
  try {
    return await recorder.run();
  } finally {
    waiting.stop();
    stopListening();
  }
}

/**
 * Reports on stderr what is noteworthy in the files of a recording, and what they lack.
 * @param nameOf how to name a machine's file
 * @returns the exit code of the recording; the exit code of its COMMAND does not matter
 */
export function reportProblems(
  guests: readonly GuestReport[],
  nameOf = ({ out }: GuestReport): string => out,
): ExitCode {
  for (const guest of guests) {
    const name = nameOf(guest);
    for (const note of notesOf(guest)) process.stderr.write(`trace-host: ${name}: ${note}\n`);
    for (const loss of lossesOf(guest)) process.stderr.write(`trace-host: ${name}: ${loss}\n`);
    for (const { message, remedy } of guest.failures) {
      process.stderr.write(
        `trace-host: ${printable(message)}${remedy === '' ? '' : ` — ${printable(remedy)}`}\n`,
      );
    }
    if (guest.dir !== undefined) process.stderr.write(`trace-host: ${howToConvert(guest.dir, guest.out)}\n`);
  }
  if (guests.every(({ report }) => report === undefined)) return exitCode.failed;
  const whole = guests.every((guest) => isWhole(guest));
  return whole ? exitCode.done : exitCode.lost;
}

/** With --print, stdout only contains the events. */
function reportTo({ print }: RecordCommand): NodeJS.WriteStream {
  return print ? process.stderr : process.stdout;
}

/** The first signal ends the recording cleanly, the second aborts it and keeps the raw data. */
function listen(recorder: Recorder, live: LiveText, abandonPrinting: () => void): () => void {
  const interrupt = (): void => recorder.interrupt();
  const abandon = (): void => {
    abandonPrinting();
    for (const { dir, out } of recorder.abandon()) live.say(`trace-host: ${howToConvert(dir, out)}`);
    exitNow(exitCode.failed);
  };
  return onEndSignals(interrupt, abandon, interrupt);
}

function howToConvert(dir: string, out: string): string {
  return `the recording is kept in ${dir} — convert it: trace-host convert ${dir} -o ${out}`;
}

function howItEnds({ command, durationMs }: Pick<RecordOptions, 'command' | 'durationMs'>): string {
  if (command.length > 0) return `until ${command.join(' ')} ends`;
  if (durationMs !== undefined) return `for ${humanDuration(durationMs)}, or Ctrl-C`;
  return 'Ctrl-C to stop';
}

function howItRotates({ rotation }: Pick<RecordCommand, 'rotation'>): string {
  if (rotation === undefined) return '';
  const { bytes, everyMs = 0, keep } = rotation;
  const often = bytes === undefined ? humanDuration(everyMs) : humanBytes(bytes);
  const kept = keep === undefined ? '' : `, and the newest ${keep} are kept`;
  return `; a new file begins every ${often}${kept}`;
}

function whyItEnded(end: RecordEnd): string {
  switch (end.kind) {
    case 'signal':
      return 'interrupted';
    case 'duration':
      return 'duration reached';
    case 'max-size':
      return 'maximum size reached';
    case 'command':
      return end.signal === null
        ? `the command exited with code ${end.exitCode}`
        : `the command was killed by ${end.signal}`;
    case 'failed':
      return printable(end.why.message);
    default:
      return end satisfies never;
  }
}

function textOf({ label, host, out, report, alignment, cpus }: GuestReport): string {
  if (report === undefined) return '';
  const overrun = cpus.reduce((sum, cpu) => sum + cpu.overrun, 0);
  const lines = [`${out}: ${label}, ${summaryOf(report)}`];
  if (alignment !== undefined) lines.push(`  ${alignmentText(alignment.pieces)}`);
  if (overrun > 0)
    lines.push(
      `  ${overrun} events were overwritten ${host ? 'here' : 'in the guest'} before they could be read — use larger rings: -b`,
    );
  return `${lines.join('\n')}\n`;
}

/** Notes about the trace that do not mean that it is incomplete. */
function notesOf({ untracedCpus, earlierEvents, report }: GuestReport): string[] {
  const which = `CPU ${cpuRanges(untracedCpus)}`;
  return [
    ...(report === undefined ? [] : remarksOn(report)),
    ...(untracedCpus.length === 0
      ? []
      : [
          `${which} has a port on this host but the guest's agent does not trace it (trace-agent --cpus, or no such CPU)`,
        ]),
    ...(earlierEvents === 0
      ? []
      : [
          `${counted(earlierEvents, 'event')} from before the start were still in the guest's rings and are included`,
        ]),
  ];
}

/** The reasons why the trace is incomplete, one line each; empty if it is complete. */
function lossesOf({ host, report, lostBytes, heldBytes, failedCpus }: GuestReport): string[] {
  return [
    ...(lostBytes > 0 ? [`${humanBytes(lostBytes)} lost in transit`] : []),
    ...(heldBytes > 0
      ? [
          `${humanBytes(heldBytes)} are held in ${host ? 'the agent of this host' : 'the guest'} because its port accepted no more data`,
        ]
      : []),
    ...(failedCpus.length > 0 ? [`not traced to the end: CPU ${failedCpus.join(', ')}`] : []),
    ...(report === undefined ? [] : [...leftOutOf(report), ...reusedIdsOf(report)]),
  ];
}

/**
 * One entry per guest; docs/json.md describes the fields.
 * @param end undefined if the recording goes on with another set
 */
function jsonOf({ guests, set, deleted }: Omit<RecordResult, 'end'>, end: RecordEnd | undefined): string {
  return json(
    guests.map(({ guest, host, report, alignment, dir, cpus, failures, ...rest }) => ({
      guest: guest ?? null,
      host,
      file: null,
      recording: dir ?? null,
      ...(set !== undefined && { set, deleted }),
      ended: end === undefined ? { by: 'rotate' } : endedOf(end),
      ...(report === undefined ? {} : countsOf(report)),
      ...(alignment && { clock: clockAsJson(alignment.pieces) }),
      cpus,
      lostBytes: rest.lostBytes,
      heldBytes: rest.heldBytes,
      failedCpus: rest.failedCpus,
      untracedCpus: rest.untracedCpus,
      earlierEvents: rest.earlierEvents,
      failures: failures.map(({ message, remedy }) => ({ message, remedy })),
    })),
  );
}

function endedOf(end: RecordEnd): object {
  if (end.kind !== 'command') return { by: end.kind };
  return { by: end.kind, exitCode: end.exitCode, signal: end.signal };
}
