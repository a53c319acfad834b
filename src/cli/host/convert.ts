import { stat } from 'node:fs/promises';
import { onEndSignals } from '../../base/end-signals.ts';
import { codeOf } from '../../base/error-code.ts';
import { type ExitCode, exitCode, Failure } from '../../base/failure.ts';
import {
  convert,
  convertRecording,
  type ConvertProgress,
  type ConvertReport,
  type ConvertSettings,
} from '../../trace/convert/convert.ts';
import type { FramedReport } from '../../trace/convert/convert-framed.ts';
import { readMetadataFile } from '../../trace/metadata/guest-metadata.ts';
import { removeUnfinishedFiles } from '../../trace/file/unfinished-files.ts';
import { exitNow } from '../../native/process/process.ts';
import { json, printable, quoted } from '../../base/quoted.ts';
import { countsOf, leftOutOf, remarksOn, reusedIdsOf, summaryOf } from '../report/convert-report.ts';
import { convertStdin, convertStream, framedOf, checkNotOutput, stdinWord } from './convert-stream.ts';
import { gapsAsJson, gapsText } from '../report/framed-report.ts';
import type { ConvertCommand } from './options/convert-options.ts';
import { humanBytes } from '../report/human.ts';
import { LiveText } from '../report/live-text.ts';
import { rawInput, saysCpu } from './options/raw-input.ts';
import { Waiting } from '../report/waiting.ts';

type Report = ConvertReport | FramedReport;

/** Writes a trace.dat and reports its contents. Throws Failure. */
export async function runConvert(command: ConvertCommand): Promise<ExitCode> {
  const report = await watched(command);
  const gaps = 'gaps' in report ? report.gaps : undefined;
  const lacking = gaps === undefined ? [] : gapsText(gaps);
  const counts = { ...countsOf(report), ...(gaps === undefined ? {} : { framed: gapsAsJson(gaps) }) };
  process.stdout.write(command.json ? `${json(counts)}\n` : textOf(report));
  for (const line of [...lacking, ...leftOutOf(report), ...reusedIdsOf(report), ...remarksOn(report)])
    process.stderr.write(`trace-host: ${printable(report.out)}: ${line}\n`);
  const isWhole = lacking.length === 0 && report.leftOut.size === 0 && report.reusedIds.length === 0;
  return isWhole ? exitCode.done : exitCode.lost;
}

/** Converts with a progress display; a signal cancels it cleanly. */
async function watched(command: ConvertCommand): Promise<Report> {
  let progress: ConvertProgress | undefined;
  let reading = command.inputs[0] === stdinWord;
  const ended = new AbortController();
  const interrupt = (): void => {
    // a Ctrl-C on the terminal also reaches the agent at the other end of the pipe, which ends its stream cleanly
    if (reading)
      process.stderr.write('trace-host: waiting for the end of the stream; a second signal aborts\n');
    else ended.abort(new Failure(exitCode.failed, 'interrupted; nothing was written'));
  };
  const abandon = (): void => {
    removeUnfinishedFiles();
    exitNow(exitCode.failed);
  };
  // the handlers stay until the process ends: a late signal must not change the exit code
  onEndSignals(interrupt, abandon, interrupt);
  const waiting = new Waiting(new LiveText(process.stderr), () => describe(command, progress));
  try {
    const settings = {
      ...command.settings,
      signal: ended.signal,
      onProgress: (now: ConvertProgress) => {
        progress = now;
      },
    };
    return await converted(command, settings, () => {
      reading = false;
    });
  } finally {
    waiting.stop();
  }
}

function describe({ inputs, settings }: ConvertCommand, progress: ConvertProgress | undefined): string {
  const what = `writing ${printable(settings.out)}`;
  if (progress === undefined) return inputs[0] === stdinWord ? `reading, then ${what}` : what;
  if (progress.totalBytes === 0) return what;
  const { doneBytes, totalBytes } = progress;
  return `${what}, ${Math.floor((doneBytes / totalBytes) * 100)} % of ${humanBytes(totalBytes)}`;
}

/** @param onRead called at the end of stdin */
async function converted(
  command: ConvertCommand,
  settings: ConvertSettings,
  onRead: () => void,
): Promise<Report> {
  const { inputs, metadata } = command;
  const [first = ''] = inputs;
  if (inputs.includes(stdinWord)) return convertStdin(inputs, metadata, settings, onRead);
  const framed = await framedOf(inputs);
  if (framed !== undefined) return convertStream(framed, first, metadata, settings);
  if (saysCpu(first) || !(await isDirectory(first))) return convertFiles(inputs, metadata, settings);
  if (inputs.length > 1) {
    throw new Failure(exitCode.usage, 'a recording must be the only input', `specify only ${first}`);
  }
  if (metadata !== undefined) {
    throw new Failure(
      exitCode.usage,
      '--metadata is only for raw files and framed streams',
      `omit it: a recording contains its metadata`,
    );
  }
  return convertRecording(first, settings);
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (cause) {
    const code = codeOf(cause);
    if (code === 'EACCES')
      throw new Failure(exitCode.notPermitted, `${path}: permission denied`, 'run as its owner', { cause });
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw cause;
    throw new Failure(
      exitCode.missing,
      `${path}: no such file or directory`,
      'specify a recording (FILE.recording), a framed stream, or raw files and their --metadata',
      { cause },
    );
  }
}

async function convertFiles(
  paths: readonly string[],
  metadata: string | undefined,
  settings: ConvertSettings,
): Promise<ConvertReport> {
  if (metadata === undefined) {
    throw new Failure(
      exitCode.usage,
      'raw files cannot be converted without the metadata of their guest',
      'add --metadata FILE; trace-host metadata -o FILE fetches it from the guest',
    );
  }
  checkNotOutput(metadata, settings.out);
  const cpus = new Map<number, string>();
  for (const given of paths) {
    const { cpu, path } = rawInput(given);
    const other = cpus.get(cpu);
    if (other !== undefined)
      throw new Failure(
        exitCode.usage,
        `two files for CPU ${cpu}: ${quoted(other)} and ${quoted(path)}`,
        'specify the CPU of each file: cpu0=FILE cpu1=FILE',
      );
    cpus.set(cpu, path);
  }
  return convert({ ...settings, cpus, metadata: await readMetadataFile(metadata) });
}

function textOf(report: ConvertReport): string {
  const lines = [`${printable(report.out)}: ${summaryOf(report)}`];
  if (report.lost > 0n) lines.push(`  ${report.lost} events were lost before they could be read`);
  return `${lines.join('\n')}\n`;
}
