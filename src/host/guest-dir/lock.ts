import { closeSync, constants, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { codeOf } from '../../base/error-code.ts';
import { exitCode, Failure } from '../../base/failure.ts';
import { lockHolder, tryLock } from '../../native/io/file-lock.ts';
import { printable } from '../../base/quoted.ts';
import type { OwnedDir } from './owned-dir.ts';

export const lockFileName = 'lock';
/** How long to wait for a process that only asks for the agent's status: longer than that takes. */
const patienceMs = 5000;
/** What the lock file has besides the pid of such a process. */
const briefMark = ' briefly';
const retryMs = 20;
const sleeping = new Int32Array(new SharedArrayBuffer(4));

/** The process that uses a guest's control port; undefined if no other process does. Does not block. */
export function guestLockHolder(dir: OwnedDir): number | undefined {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  if (dir.look(lockFileName)?.isFile() !== true) return undefined;
  const fd = openSync(dir.entry(lockFileName), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    return lockHolder(fd);
  } finally {
    closeSync(fd);
  }
}

/**
 * Locks a guest's control port for this process: two hosts on one port would read each other's answers. The kernel
 * releases the lock when the process ends, however it ends.
 * @param label the guest's name in messages
 * @param isBrief whether it is released within seconds; others then wait
 * @returns a function that releases the lock
 * @throws Failure (failed) that names the process that holds the lock; blocks only while that holds it briefly
 */
export function lockGuest(dir: OwnedDir, label: string, isBrief = false): () => void {
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
  if (!lockSoon(fd)) {
    const holder = readHolder(fd)?.pid;
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
  writeSync(fd, `${process.pid}${isBrief ? briefMark : ''}\n`, 0);
  return () => closeSync(fd);
}

function lockSoon(fd: number): boolean {
  const untilMs = performance.now() + patienceMs;
  while (!tryLock(fd)) {
    if (readHolder(fd)?.isBrief !== true || performance.now() >= untilMs) return false;
    Atomics.wait(sleeping, 0, 0, retryMs);
  }
  return true;
}

function readHolder(fd: number): { readonly pid: number; readonly isBrief: boolean } | undefined {
  const buffer = Buffer.alloc(32);
  const bytes = readSync(fd, buffer, 0, buffer.length, 0);
  const [, pid, mark] = /^(\d{1,10})( briefly)?\n$/.exec(buffer.toString('latin1', 0, bytes)) ?? [];
  return pid === undefined ? undefined : { pid: Number(pid), isBrief: mark === briefMark };
}
