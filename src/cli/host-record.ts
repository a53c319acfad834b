import { type ExitCode, exitCode } from '../failure.ts';
import type { ConvertReport } from '../host/convert.ts';
import { type GuestReport, type RecordEnd, Recorder, type RecordOptions } from '../host/record/recorder.ts';
import { exitNow } from '../native/process.ts';
import { json, printable } from '../quoted.ts';
import type { RecordCommand } from './host-record-options.ts';
import { humanBytes, humanDuration } from './human.ts';
import { RecordView } from './record-view.ts';

/** Records until the first reason to end, makes the files, and says what is in them. Throws Failure. */
export async function runRecord(options: RecordCommand): Promise<ExitCode> {
  const view = new RecordView(process.stderr);
  const recorder = new Recorder(options, {
    phase: (text) => view.say(`${text} …`),
    started: () => view.say(`recording; ${howItEnds(options)}`),
    progress: (progress) => view.show(progress),
    ending: (end) => view.say(`${whyItEnded(end)}; stopping`),
    note: (text) => view.say(`trace-host: ${printable(text)}`),
  });
  const stopListening = listen(recorder);
  // who reads what is said may go away, also with the terminal; the recording is worth more
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  try {
    const reports = await recorder.run();
    process.stdout.write(options.json ? `${jsonOf(reports)}\n` : reports.map(textOf).join(''));
    for (const guest of reports) {
      for (const loss of lossesOf(guest)) process.stderr.write(`trace-host: ${guest.out}: ${loss}\n`);
      for (const { message, remedy } of guest.failures) {
        process.stderr.write(
          `trace-host: ${printable(message)}${remedy === '' ? '' : ` — ${printable(remedy)}`}\n`,
        );
      }
      if (guest.dir !== undefined)
        process.stderr.write(`trace-host: ${howToConvert(guest.dir, guest.out)}\n`);
    }
    return codeOf(reports);
  } finally {
    stopListening();
  }
}

/** The first signal ends the recording as it should, the second one leaves it as it is. */
function listen(recorder: Recorder): () => void {
  let interrupted = false;
  const onSignal = (): void => {
    if (interrupted) {
      for (const { dir, out } of recorder.unfinished)
        process.stderr.write(`\ntrace-host: ${howToConvert(dir, out)}\n`);
      exitNow(exitCode.failed);
    }
    interrupted = true;
    recorder.interrupt();
  };
  // the terminal was closed: shell and kernel both say so, which is no second wish
  const onHangUp = (): void => recorder.interrupt();
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal).on('SIGHUP', onHangUp);
  return () => process.off('SIGINT', onSignal).off('SIGTERM', onSignal).off('SIGHUP', onHangUp);
}

function howToConvert(dir: string, out: string): string {
  return `the recording stays in ${dir} — make a file of it: trace-host convert ${dir} -o ${out}`;
}

function howItEnds({ command, durationMs }: RecordOptions): string {
  if (command.length > 0) return `until ${command.join(' ')} ends`;
  if (durationMs !== undefined) return `for ${humanDuration(durationMs)}, or Ctrl-C`;
  return 'Ctrl-C to stop';
}

function whyItEnded(end: RecordEnd): string {
  switch (end.kind) {
    case 'signal':
      return 'interrupted';
    case 'duration':
      return 'time is up';
    case 'max-size':
      return 'the size given is reached';
    case 'command':
      return end.signal === null
        ? `the command ended with ${end.exitCode}`
        : `the command ended by ${end.signal}`;
    case 'failed':
      return printable(end.why.message);
    default:
      return end satisfies never;
  }
}

function textOf({ label, out, report, cpus }: GuestReport): string {
  if (report === undefined) return '';
  const overrun = cpus.reduce((sum, cpu) => sum + cpu.overrun, 0);
  const lines = [
    `${out}: ${label}, ${report.cpus.length} CPUs, ${report.events} events in ${report.pages} pages, ${humanBytes(report.fileBytes)}`,
  ];
  if (overrun > 0)
    lines.push(
      `  ${overrun} events were overwritten in the guest before they could be read — larger rings: -b`,
    );
  return `${lines.join('\n')}\n`;
}

/** Why the trace is not whole, a line each; empty when it is. */
function lossesOf({ report, lostBytes, failedCpus }: GuestReport): string[] {
  return [
    ...(lostBytes > 0 ? [`${humanBytes(lostBytes)} were lost on the way`] : []),
    ...(failedCpus.length > 0 ? [`not traced to the end: CPU ${failedCpus.join(', ')}`] : []),
    ...[...(report?.leftOut ?? [])].map(([reason, pages]) => `${pages} bad pages left out: ${reason}`),
  ];
}

function jsonOf(reports: readonly GuestReport[]): string {
  return json(
    reports.map(({ label, out, report, dir, cpus, lostBytes, failedCpus, failures }) => ({
      guest: label,
      file: report === undefined ? null : out,
      recording: dir ?? null,
      ...(report === undefined ? {} : countsOf(report)),
      cpus,
      lostBytes,
      failedCpus,
      failures: failures.map(({ message, remedy }) => ({ message, remedy })),
    })),
  );
}

/** A report with its maps as objects and its big numbers as decimal strings. */
export function countsOf(report: ConvertReport): object {
  return {
    events: report.events,
    pages: report.pages,
    fileBytes: report.fileBytes,
    rawBytes: report.rawBytes,
    lostEvents: String(report.lost),
    // The kernel leaves out the count where the page has no room for it.
    uncountedLosses: report.cpus.reduce((sum, cpu) => sum + cpu.pagesAfterUncountedLoss, 0),
    leftOut: Object.fromEntries(report.leftOut),
    eventsByName: Object.fromEntries(report.eventsByName),
    convertSeconds: report.seconds,
  };
}

function codeOf(reports: readonly GuestReport[]): ExitCode {
  if (reports.some(({ report }) => report === undefined)) return exitCode.failed;
  const lost = reports.some((guest) => guest.failures.length > 0 || lossesOf(guest).length > 0);
  return lost ? exitCode.lost : exitCode.done;
}
