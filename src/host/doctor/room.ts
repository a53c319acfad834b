import { accessSync, constants, statfsSync } from 'node:fs';
import { codeOf } from '../../base/error-code.ts';
import { exitCode, Failure } from '../../base/failure.ts';
import { printable } from '../../base/quoted.ts';

/** With less, a recording of some seconds may fill the disk: pages and the file that is made of them take room at once. */
const leastBytes = 256 * 1024 * 1024;

/** Whether recordings have room in a directory. @returns bytes free for this user. @throws Failure */
export function roomIn(dir: string): number {
  const shown = printable(dir);
  try {
    accessSync(dir, constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw new Failure(
      exitCode.notPermitted,
      `${shown}, where recordings go, cannot be written (${codeOf(cause)})`,
      'run it in another directory, or record with -o FILE elsewhere',
    );
  }
  const { bavail, bsize } = statfsSync(dir);
  const freeBytes = bavail * bsize;
  if (freeBytes >= leastBytes) return freeBytes;
  throw new Failure(
    exitCode.failed,
    `${shown}, where recordings go, has ${Math.floor(freeBytes / 2 ** 20)} MiB free`,
    'make room, record with -o FILE on another disk, or keep the newest pages only with -m',
  );
}
