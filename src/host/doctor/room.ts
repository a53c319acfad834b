import { accessSync, constants, statfsSync } from 'node:fs';
import { codeOf } from '../../base/error-code.ts';
import { exitCode, Failure } from '../../base/failure.ts';
import { printable } from '../../base/quoted.ts';

/**
 * Minimum free space. With less, a recording of a few seconds may fill the disk: raw pages and the file made from
 * them exist at the same time.
 */
const leastBytes = 256 * 1024 * 1024;

/** Checks that a directory has room for recordings. @returns bytes free for this user. @throws Failure */
export function roomIn(dir: string): number {
  const shown = printable(dir);
  try {
    accessSync(dir, constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw new Failure(
      exitCode.notPermitted,
      `${shown}, where recordings go, is not writable (${codeOf(cause)})`,
      'run it in another directory, or record with -o FILE elsewhere',
    );
  }
  const { bavail, bsize } = statfsSync(dir);
  const freeBytes = bavail * bsize;
  if (freeBytes >= leastBytes) return freeBytes;
  throw new Failure(
    exitCode.failed,
    `${shown}, where recordings go, has ${Math.floor(freeBytes / 2 ** 20)} MiB free`,
    'free space, record with -o FILE on another disk, or keep only the newest pages with -m',
  );
}
