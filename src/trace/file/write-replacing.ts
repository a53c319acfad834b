import { lstatSync } from 'node:fs';
import { open, rename, rm, statfs, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errnoOf } from '../../base/error-code.ts';
import { exitCode, Failure } from '../../base/failure.ts';
import { unfinishedFile } from './unfinished-files.ts';

/**
 * Finds out whether a new file may take the name `path`: not the name of /dev/null or of a pipe, which would be gone,
 * nor of a link, whose target would stay as it is. @throws Failure (usage), and what node:fs throws
 */
export function checkReplaceable(path: string): void {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined || found.isFile()) return;
  const link = found.isSymbolicLink() ? 'a symbolic link' : 'no file';
  const what = found.isDirectory() ? 'a directory' : link;
  throw new Failure(exitCode.usage, `${path} is ${what}`, 'give the path of a file with -o');
}

/**
 * Has `write` fill a new file beside `path`, which then takes the name `path` in one step: a reader sees the old file
 * or the new one whole. When anything fails the new one is removed. Throws Failure for what the file system refuses.
 * @returns what `write` returned, and the file's bytes
 */
export async function writeReplacing<T>(
  path: string,
  write: (file: FileHandle) => Promise<T>,
): Promise<{ readonly result: T; readonly bytes: number }> {
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);
  const ended = unfinishedFile(temporary);
  let file: FileHandle | undefined;
  try {
    checkReplaceable(path);
    // left by a process of this number that was killed, or put there by somebody else: a new one, whatever it is
    await rm(temporary, { force: true });
    file = await open(temporary, 'wx', 0o644);
    const result = await write(file);
    const { size } = await file.stat();
    // the older file goes with the rename: the new one must be on disk, or a power cut would leave neither
    await file.sync();
    await file.close();
    await rename(temporary, path);
    return { result, bytes: size };
  } catch (error) {
    const refused = await refusalOf(path, file, error);
    if (file !== undefined) {
      await file.close().catch(() => undefined);
      await rm(temporary, { force: true });
    }
    throw refused;
  } finally {
    ended();
  }
}

/** A Failure for what the file system refuses; any other error as it is. @param file what was written of it */
export async function refusalOf(
  path: string,
  file: FileHandle | undefined,
  error: unknown,
): Promise<unknown> {
  const code = errnoOf(error);
  const failure = (exit: 1 | 3 | 4, reason: string, remedy: string) =>
    new Failure(exit, `${path}: ${reason}`, remedy, { cause: error });
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT': {
      const written = mib((await file?.stat().catch(() => undefined))?.size ?? 0);
      const free = await statfs(dirname(path)).catch(() => undefined);
      const left = free === undefined ? '' : `, ${mib(free.bavail * free.bsize)} were left`;
      const what = code === 'ENOSPC' ? 'the disk is full' : 'the disk quota is used up';
      return failure(exitCode.failed, `${what} after ${written}${left}`, 'make room, or write elsewhere');
    }
    case 'EFBIG':
      return failure(exitCode.failed, 'too large for this file system', 'write elsewhere');
    case 'ENOENT':
      return failure(exitCode.missing, 'no such directory', 'make the directory, or write elsewhere');
    case 'ENOTDIR':
      return failure(exitCode.failed, 'cannot be a file there', 'give the path of a file');
    case 'EACCES':
    case 'EPERM':
      return failure(exitCode.notPermitted, 'may not be written', 'write elsewhere, or as another user');
    case 'EROFS':
      return failure(exitCode.failed, 'the file system is read-only', 'write elsewhere');
    case '':
      return error;
    default:
      return failure(exitCode.failed, `cannot be made (${code})`, 'write elsewhere');
  }
}

function mib(bytes: number): string {
  return `${(bytes / (1 << 20)).toFixed(1)} MiB`;
}
