import { type ExitCode, exitCode } from '../../../base/failure.ts';
import { json as jsonText, printable } from '../../../base/quoted.ts';
import { type AlignedMachine, type AlignProgress, alignSession } from '../../../clock/align-session.ts';
import { alignmentText, clockAsJson } from '../../report/clock-report.ts';
import { humanBytes } from '../../report/human.ts';
import type { AlignCommand } from '../options/reading/align-options.ts';
import { watched } from './watched.ts';

/** Aligns the guests of a session with their host again, and says how well. Throws Failure. */
export async function runAlign({ inputs, dryRun, json }: AlignCommand): Promise<ExitCode> {
  let progress: AlignProgress | undefined;
  let hasWritten = false;
  const machines = await watched(
    () => progressText(progress),
    ({ signal }) =>
      alignSession(inputs, {
        dryRun,
        signal,
        onProgress: (now) => {
          hasWritten ||= progress?.phase === 'writing' && progress.path !== now.path;
          progress = now;
        },
      }),
    () =>
      hasWritten ? 'interrupted; some files have their new alignment' : 'interrupted; nothing was written',
  );
  process.stdout.write(json ? `${jsonText(machines.map(asJson))}\n` : machines.map(textOf).join(''));
  for (const { name, failure, remarks } of machines) {
    for (const remark of remarks) warn(remark);
    if (failure !== undefined)
      warn(`${name}: ${failure.message}${failure.remedy === '' ? '' : ` — ${failure.remedy}`}`);
  }
  return machines.find(({ failure }) => failure !== undefined)?.failure?.exitCode ?? exitCode.done;
}

function progressText(progress: AlignProgress | undefined): string {
  if (progress === undefined) return 'opening';
  const { path, phase, doneBytes, totalBytes } = progress;
  if (totalBytes === 0) return `${phase} ${printable(path)}`;
  const percent = Math.min(100, Math.floor((doneBytes / totalBytes) * 100));
  return `${phase} ${printable(path)}, ${percent} % of ${humanBytes(totalBytes)}`;
}

function textOf({ name, path, alignment, written }: AlignedMachine): string {
  if (alignment === undefined) return '';
  const files = written.length === 0 ? 'nothing written' : `written into ${written.join(' and ')}`;
  return `${printable(path)}: ${printable(name)}, ${printable(files)}\n  ${alignmentText(alignment.pieces)}\n`;
}

function asJson({ name, path, alignment, written, failure, remarks }: AlignedMachine): object {
  return {
    guest: name,
    path,
    clock: alignment === undefined ? null : clockAsJson(alignment.pieces),
    written,
    failure: failure === undefined ? null : { message: failure.message, remedy: failure.remedy },
    remarks,
  };
}

function warn(text: string): void {
  process.stderr.write(`trace-host: ${printable(text)}\n`);
}
