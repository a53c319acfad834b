import { errno, NativeError } from '../error.ts';
import { declare, lastErrno } from '../libc.ts';

const libcCopyFileRange = declare(
  'intptr_t copy_file_range(int from, void *fromOffset, int to, void *toOffset, size_t bytes, unsigned int flags)',
);

/**
 * Errors that copy_file_range returns when it cannot copy between two files: they are on different file systems, the
 * kernel is old, or a seccomp filter forbids it.
 */
const unsupported: ReadonlySet<number> = new Set([
  errno.EXDEV,
  errno.EOPNOTSUPP,
  errno.ENOSYS,
  errno.EINVAL,
  errno.EPERM,
]);

/**
 * Copies within the kernel from one file to another, on a thread of Node's pool. Where the file system shares extents
 * (btrfs, XFS) and offsets are aligned, the kernel shares extents instead of copying, as FICLONERANGE does. Neither
 * file's position moves.
 * @returns bytes copied, sometimes fewer than `bytes`, 0 at the end of `from`; undefined when these files must be
 * copied with read and write. Rejects with NativeError, e.g. `ENOSPC`.
 */
export function copyRange(
  from: number,
  fromOffset: number,
  to: number,
  toOffset: number,
  bytes: number,
): Promise<number | undefined> {
  // the callback's closure keeps them alive until it is called
  const fromAt = BigInt64Array.of(BigInt(fromOffset));
  const toAt = BigInt64Array.of(BigInt(toOffset));
  return new Promise((resolve, reject) => {
    libcCopyFileRange.async(from, fromAt, to, toAt, bytes, 0, (error: Error | null, copied: number) => {
      const failure = lastErrno();
      if (error !== null) reject(error);
      else if (copied >= 0) resolve(copied);
      else if (unsupported.has(failure)) resolve(undefined);
      else reject(new NativeError('copy_file_range', failure));
    });
  });
}
