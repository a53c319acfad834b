import { constants, openSync } from 'node:fs';
import { checked, declare } from '../libc.ts';

const libcLinkat = declare('int linkat(int fromDir, const char *from, int toDir, const char *to, int flags)');

const AT_FDCWD = -100;
const AT_SYMLINK_FOLLOW = 0x400;
const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY;

/**
 * Creates a file without a name, for writing; it is gone when its last descriptor is closed, unless `nameFile` has named
 * it. The caller owns the descriptor.
 * @param dir a directory on the file system that the file is to be on
 * @returns undefined if that file system has no such files (NFS, FUSE), or `dir` cannot be written
 */
export function makeUnnamedFile(dir: string): number | undefined {
  try {
    return openSync(dir, constants.O_WRONLY | O_TMPFILE, 0o600);
  } catch {
    return undefined;
  }
}

/** Gives a file that `makeUnnamedFile` has made a name. @throws NativeError, e.g. EEXIST, ENOENT, ENOSPC */
export function nameFile(fd: number, path: string): void {
  const file = `/proc/self/fd/${fd}`;
  checked('linkat', libcLinkat(AT_FDCWD, file, AT_FDCWD, path, AT_SYMLINK_FOLLOW));
}
