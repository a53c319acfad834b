import { constants, lstatSync } from 'node:fs';
import { access, open, rename, rm, statfs, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errnoOf } from '../../base/error-code.ts';
import { exitCode, Failure } from '../../base/failure.ts';
import { unfinishedFile } from './unfinished-files.ts';

/**
 * Checks whether a new file may replace `path`. It must not be /dev/null or a pipe, which the rename would destroy, nor
 * a link, whose target would stay unchanged. @throws Failure (usage), and what node:fs throws
 * @param option that gives the path, for the message
 */
export function checkReplaceable(path: string, option = '-o'): void {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined || found.isFile()) return;
  const link = found.isSymbolicLink() ? 'a symbolic link' : 'not a regular file';
  const what = found.isDirectory() ? 'a directory' : link;
  throw new Failure(exitCode.usage, `${path} is ${what}`, `specify a file with ${option}`);
}

/** As `checkReplaceable`, and whether its directory can be written to. Throws Failure. */
export async function checkWritable(path: string, option = '-o'): Promise<void> {
  try {
    checkReplaceable(path, option);
    await access(dirname(path), constants.W_OK);
  } catch (error) {
    throw await refusalOf(path, undefined, error);
  }
}

/** Words for the remedies in messages. */
export interface OutputWords {
  /** The option that gives the path; `-o` by default. */
  readonly option?: string;
  /** What to do if the path cannot be written; `write elsewhere` by default. */
  readonly elsewhere?: string;
}

/**
 * Lets `write` fill a temporary file next to `path`, then renames it to `path`: a reader sees either the old file or
 * the complete new one. Removes the temporary file on error. Throws Failure for file system errors.
 * @returns the result of `write`, and the size of the file
 */
export async function writeReplacing<T>(
  path: string,
  write: (file: FileHandle) => Promise<T>,
  { option, elsewhere }: OutputWords = {},
): Promise<{ readonly result: T; readonly bytes: number }> {
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);
  const ended = unfinishedFile(temporary);
  let file: FileHandle | undefined;
  try {
    checkReplaceable(path, option);
    // may be left over from a killed process with the same pid, or planted by another user: always create a new one
    await rm(temporary, { force: true });
    file = await open(temporary, 'wx', 0o644);
    const result = await write(file);
    const { size } = await file.stat();
    // the rename drops the old file: sync first, or a power failure could lose both
    await file.sync();
    await file.close();
    await rename(temporary, path);
    return { result, bytes: size };
  } catch (error) {
    const refused = await refusalOf(path, file, error, elsewhere);
    if (file !== undefined) {
      await file.close().catch(() => undefined);
      await rm(temporary, { force: true });
    }
    throw refused;
  } finally {
    ended();
  }
}

/** Converts a file system error to a Failure; returns any other error unchanged. @param file the partly written file */
export async function refusalOf(
  path: string,
  file: FileHandle | undefined,
  error: unknown,
  elsewhere = 'write elsewhere',
): Promise<unknown> {
  const code = errnoOf(error);
  const failure = (exit: 1 | 3 | 4, reason: string, remedy: string) =>
    new Failure(exit, `${path}: ${reason}`, remedy, { cause: error });
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT': {
      const written = mib((await file?.stat().catch(() => undefined))?.size ?? 0);
      const free = await statfs(dirname(path)).catch(() => undefined);
      const left = free === undefined ? '' : `, ${mib(free.bavail * free.bsize)} left`;
      const what = code === 'ENOSPC' ? 'the disk is full' : 'the disk quota is exceeded';
      return failure(exitCode.failed, `${what} after ${written}${left}`, `free some space, or ${elsewhere}`);
    }
    case 'EFBIG':
      return failure(exitCode.failed, 'too large for this file system', elsewhere);
    case 'ENOENT':
      return failure(exitCode.missing, 'no such directory', `create the directory, or ${elsewhere}`);
    case 'ENOTDIR':
      return failure(exitCode.failed, 'a parent of it is not a directory', 'specify another path');
    case 'EACCES':
    case 'EPERM':
      return failure(exitCode.notPermitted, 'permission denied', `${elsewhere}, or as another user`);
    case 'ENAMETOOLONG':
      return failure(exitCode.failed, 'the name is too long', 'use a shorter one');
    case 'EROFS':
      return failure(exitCode.failed, 'the file system is read-only', elsewhere);
    case '':
      return error;
    default:
      return failure(exitCode.failed, `cannot create it: ${code}`, elsewhere);
  }
}

function mib(bytes: number): string {
  return `${(bytes / (1 << 20)).toFixed(1)} MiB`;
}
