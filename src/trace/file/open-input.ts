import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { codeOf } from '../../base/error-code.ts';
import { exitCode, Failure, type ExitCode } from '../../base/failure.ts';

const reasons: Readonly<Record<string, readonly [ExitCode, string, string]>> = {
  ENOENT: [exitCode.missing, 'no such file', 'check the path'],
  EACCES: [exitCode.notPermitted, 'permission denied', 'run as its owner or as root'],
  EPERM: [exitCode.notPermitted, 'permission denied', 'run as its owner or as root'],
  ENOTDIR: [exitCode.missing, 'no such file: a part of the path is not a directory', 'check the path'],
  ELOOP: [exitCode.missing, 'no such file: a symbolic link leads to itself', 'check the path'],
  ENAMETOOLONG: [exitCode.usage, 'the name is too long', 'check the path'],
  // a socket
  ENXIO: [exitCode.failed, 'not a regular file', 'specify a regular file'],
};

/** Opens a regular file for reading; the caller closes it. Throws Failure that begins with the path. */
export async function openInput(path: string): Promise<FileHandle> {
  let file: FileHandle;
  try {
    // opening a FIFO would block until it has a writer
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    const code = codeOf(error);
    const [exit, reason, remedy] = reasons[code] ?? [
      exitCode.failed,
      `cannot open it: ${code}`,
      'check the path',
    ];
    throw new Failure(exit, `${path}: ${reason}`, remedy, { cause: error });
  }
  if ((await file.stat()).isFile()) return file;
  await file.close();
  throw new Failure(exitCode.failed, `${path}: not a regular file`, 'specify a regular file');
}
