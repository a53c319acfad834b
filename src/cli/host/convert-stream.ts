import { rm, stat, type FileHandle } from 'node:fs/promises';
import { resolve } from 'node:path';
import { exitCode, Failure } from '../../base/failure.ts';
import type { ConvertSettings } from '../../trace/convert/convert.ts';
import { convertFramed, type FramedReport } from '../../trace/convert/convert-framed.ts';
import { isFramedFile } from '../../trace/framed/framed-trace.ts';
import { spooled } from '../../trace/framed/spool.ts';
import { readArchiveFile } from '../../trace/metadata/guest-metadata.ts';
import { openInput } from '../../trace/file/open-input.ts';
import { checkReplaceable } from '../../trace/file/write-replacing.ts';
import { printable } from '../../base/quoted.ts';
import { gapsText } from '../report/framed-report.ts';
import { rawInput, saysCpu } from './options/raw-input.ts';

/** The operand for a framed stream on stdin. */
export const stdinWord = '-';

/**
 * Converts a framed stream from stdin. The stream cannot be read twice, so this first checks everything else, and
 * keeps the saved stream until its trace.dat is complete.
 * @param onRead called at the end of the stream. @throws Failure
 */
export async function convertStdin(
  inputs: readonly string[],
  metadata: string | undefined,
  settings: ConvertSettings,
  onRead: () => void,
): Promise<FramedReport> {
  const { out } = settings;
  if (inputs.length > 1) throw new Failure(exitCode.usage, 'stdin must be the only input', 'specify only -');
  checkReplaceable(out);
  if (metadata !== undefined) {
    checkNotOutput(metadata, out);
    await readArchiveFile(metadata);
  }
  const { file, path, broken } = await spooled(process.stdin, out);
  onRead();
  const kept = `the stream is kept: trace-host convert ${printable(path)} -o ${printable(out)}`;
  try {
    const report = await convertStream(file, 'stdin', metadata, settings);
    if (broken !== undefined) throw broken;
    if (isWhole(report)) await rm(path, { force: true });
    else process.stderr.write(`trace-host: ${kept}\n`);
    return report;
  } catch (cause) {
    if (!(cause instanceof Failure)) throw cause;
    const remedy = cause.remedy === '' ? kept : `${cause.remedy}; ${kept}`;
    throw new Failure(cause.exitCode, cause.message, remedy, { cause });
  }
}

function isWhole({ gaps, leftOut, reusedIds }: FramedReport): boolean {
  return gapsText(gaps).length === 0 && leftOut.size === 0 && reusedIds.length === 0;
}

/** Opens the framed stream among the inputs; undefined if there is none. Throws Failure. */
export async function framedOf(inputs: readonly string[]): Promise<FileHandle | undefined> {
  for (const given of inputs) {
    const path = saysCpu(given) ? rawInput(given).path : given;
    if (!(await stat(path).catch(() => undefined))?.isFile()) continue;
    const file = await openInput(path);
    if (await isFramedFile(file)) {
      if (inputs.length === 1 && path === given) return file;
      await file.close();
      throw new Failure(
        exitCode.usage,
        `${path} is a framed stream with the pages of all CPUs; it must be the only input`,
        `specify only ${path}`,
      );
    }
    await file.close();
  }
  return undefined;
}

/** Converts a framed stream from a file, and closes the file. Throws Failure. */
export async function convertStream(
  file: FileHandle,
  path: string,
  metadata: string | undefined,
  settings: ConvertSettings,
): Promise<FramedReport> {
  try {
    if (metadata !== undefined) checkNotOutput(metadata, settings.out);
    return await convertFramed(file, path, metadata, settings);
  } finally {
    await file.close();
  }
}

/** Checks that the output does not overwrite the metadata. Throws Failure. */
export function checkNotOutput(metadata: string, out: string): void {
  if (resolve(metadata) !== resolve(out)) return;
  throw new Failure(
    exitCode.usage,
    `${metadata} is an input file and would be overwritten`,
    'specify another file with -o',
  );
}
