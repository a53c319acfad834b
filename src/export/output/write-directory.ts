import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { codeOf } from '../../base/error-code.ts';
import { exitCode, Failure } from '../../base/failure.ts';
import { checkNotInput } from './write-output.ts';
import { unfinishedFile } from '../../trace/file/unfinished-files.ts';
import { refusalOf } from '../../trace/file/write-replacing.ts';

/**
 * Calls `fill` to write files into a temporary directory next to `path`, then renames it to `path`. If `path` exists,
 * it must be an empty directory; it must not be in `inputs`, the traces. Removes the temporary directory on error. Throws
 * Failure for file system errors.
 */
export async function writeDirectory<T>(
  inputs: readonly string[],
  path: string,
  fill: (dir: string) => Promise<T>,
): Promise<T> {
  for (const input of inputs) await checkNotInput(input, path);
  await checkFree(path);
  const whole = resolve(path);
  const temporary = join(dirname(whole), `.${basename(whole)}.${process.pid}.tmp`);
  const ended = unfinishedFile(temporary);
  try {
    await rm(temporary, { recursive: true, force: true });
    await mkdir(temporary);
    const result = await fill(temporary);
    await rename(temporary, whole);
    return result;
  } catch (error) {
    await rm(temporary, { recursive: true, force: true }).catch(() => undefined);
    const code = codeOf(error);
    if (code === 'ENOTEMPTY' || code === 'EEXIST') throw taken(path);
    throw await refusalOf(path, undefined, error);
  } finally {
    ended();
  }
}

async function checkFree(path: string): Promise<void> {
  const names = await readdir(path).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return [];
    if (codeOf(error) === 'ENOTDIR')
      throw new Failure(exitCode.usage, `${path} is not a directory`, 'specify a new directory with -o');
    throw error;
  });
  if (names.length > 0) throw taken(path);
}

function taken(path: string): Failure {
  return new Failure(exitCode.usage, `${path} is not empty`, 'specify a new or empty directory with -o');
}

/** Appends to a file of an export's directory, then closes it: there may be more files than may be open at once. */
export async function appendTo(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'a', 0o644);
  try {
    for (let done = 0; done < bytes.length; )
      done += (await file.write(bytes, done, bytes.length - done)).bytesWritten;
  } finally {
    await file.close();
  }
}
