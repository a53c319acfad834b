import { closeSync, constants, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { codeOf } from '../../base/error-code.ts';
import { exitCode, Failure } from '../../base/failure.ts';
import { tryLock } from '../../native/io/file-lock.ts';
import { printable } from '../../base/quoted.ts';
import type { OwnedDir } from './owned-dir.ts';

export const lockFileName = 'lock';

/**
 * Locks a guest's control port for this process: two hosts on one port would read each other's answers. The kernel
 * releases the lock when the process ends, however it ends.
 * @param label the guest's name in messages
 * @returns a function that releases the lock
 * @throws Failure (failed) that names the process that holds the lock; does not wait
 */
export function lockGuest(dir: OwnedDir, label: string): () => void {
  const { O_RDWR, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants;
  let fd: number;
  try {
    fd = openSync(dir.entry(lockFileName), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600);
  } catch (cause) {
    throw new Failure(
      exitCode.failed,
      `cannot open ${printable(dir.path)}/${lockFileName}: ${codeOf(cause)}`,
      'remove it',
      {
        cause,
      },
    );
  }
  if (!fstatSync(fd).isFile()) {
    closeSync(fd);
    throw new Failure(
      exitCode.failed,
      `${printable(dir.path)}/${lockFileName} is not a regular file`,
      'remove it',
    );
  }
  if (!tryLock(fd)) {
    const holder = readPid(fd);
    closeSync(fd);
    const who = holder === undefined ? 'another trace-host' : `another trace-host (pid ${holder})`;
    throw new Failure(
      exitCode.failed,
      `${who} is using the control port of ${label}`,
      holder === undefined
        ? 'wait until it has ended'
        : `wait until it has ended, or end it: kill -INT ${holder}`,
    );
  }
  ftruncateSync(fd);
  writeSync(fd, `${process.pid}\n`, 0);
  return () => closeSync(fd);
}

function readPid(fd: number): number | undefined {
  const buffer = Buffer.alloc(16);
  const bytes = readSync(fd, buffer, 0, buffer.length, 0);
  const pid = /^(\d{1,10})\n$/.exec(buffer.toString('latin1', 0, bytes))?.[1];
  return pid === undefined ? undefined : Number(pid);
}
