import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { onEndSignals } from '../../base/end-signals.ts';
import { codeOf } from '../../base/error-code.ts';
import { type ExitCode, exitCode, Failure } from '../../base/failure.ts';
import { printable } from '../../base/quoted.ts';
import { exitNow } from '../../native/process/process.ts';
import { removeUnfinishedFiles, unfinishedFile } from '../../trace/file/unfinished-files.ts';
import { checkWritable } from '../../trace/file/write-replacing.ts';
import type { ExplainCommand, RecordingToExplain } from './options/reading/explain-options.ts';
import type { RecordCommand } from './options/record-options.ts';
import { explainFiles } from './reading/explain.ts';
import { recordMachines, reportProblems } from './record.ts';

/**
 * Records the host and guests until the first reason to end, and explains that. The files stay if the command line
 * names them; otherwise they are in a temporary directory meanwhile. Throws Failure.
 * @returns `lost` if the recording is incomplete
 */
export async function runExplainNow(
  command: ExplainCommand,
  { options, isKept }: RecordingToExplain,
): Promise<ExitCode> {
  if (command.perfetto !== undefined) await checkOutput(command.perfetto, isKept ? options : undefined);
  if (isKept) return recordAndExplain(command, options, true);
  const dir = temporaryDir();
  // a second signal ends the process at once
  const unregister = unfinishedFile(dir);
  const stopListening = onEndSignals(endIfAlone, endIfAlone, () => endIfAlone('SIGHUP'));
  try {
    return await recordAndExplain(command, within(dir, options), false);
  } finally {
    rmSync(dir, { recursive: true, force: true });
    unregister();
    stopListening();
  }
}

/** For a signal while neither the recording nor the explanation listens: before, between and after them. */
function endIfAlone(signal: NodeJS.Signals): void {
  if (process.listenerCount(signal) > 1) return;
  removeUnfinishedFiles();
  exitNow(exitCode.failed);
}

/** Checks the file for the Perfetto UI before a recording is made for it. Throws Failure. */
async function checkOutput(path: string, kept: RecordCommand | undefined): Promise<void> {
  const files = kept === undefined ? [] : [kept.host, ...kept.guests].map((target) => target?.out);
  if (files.some((file) => file !== undefined && resolve(file) === resolve(path)))
    throw new Failure(
      exitCode.usage,
      `${path} is a file of the recording`,
      'specify another file with --perfetto',
    );
  await checkWritable(path, '--perfetto');
}

async function recordAndExplain(
  command: ExplainCommand,
  options: RecordCommand,
  isKept: boolean,
): Promise<ExitCode> {
  const { guests } = await recordMachines(options);
  const code = isKept
    ? reportProblems(guests)
    : reportProblems(
        guests.map((guest) => ({ ...guest, dir: undefined })),
        ({ label }) => printable(label),
      );
  // the host's file says which guests belong to it
  const files = guests.filter(({ report }) => report !== undefined).sort((a, b) => +b.host - +a.host);
  if (files.length === 0) return code;
  const paths = files.map(({ out }) => out);
  if (isKept)
    process.stderr.write(
      `the recording is in ${paths.join(', ')}; to explain it again: trace-host explain ${paths[0]}\n`,
    );
  const explained = await explainFiles(paths, command, {
    pieces: new Map(
      files.flatMap(({ guest, alignment }) => (alignment ? [[guest ?? '', alignment.pieces]] : [])),
    ),
  });
  return code === exitCode.done ? explained : code;
}

/** Only this user can read it: a trace may tell secrets of the guests. */
function temporaryDir(): string {
  const parent = tmpdir();
  try {
    return mkdtempSync(join(parent, 'trace-host-explain-'));
  } catch (cause) {
    throw new Failure(
      exitCode.failed,
      `cannot create a temporary directory in ${parent}: ${codeOf(cause)}`,
      'set TMPDIR to another directory, or keep the recording with -o FILE',
      { cause },
    );
  }
}

/** The same recording, with its files in a directory. */
function within(dir: string, options: RecordCommand): RecordCommand {
  const moved = <Target extends { readonly out: string }>(target: Target): Target => ({
    ...target,
    out: join(dir, basename(target.out)),
  });
  const { guests, host } = options;
  return { ...options, guests: guests.map(moved), host: host === undefined ? undefined : moved(host) };
}
