import { errno, NativeError } from '../error.ts';
import { declare, lastErrno } from '../libc.ts';

const libcFcntl = declare('int fcntl(int fd, int command, void *lock)');

const F_GETLK = 5;
const F_SETLK = 6;
const F_WRLCK = 1;
const F_UNLCK = 2;

// struct flock on 64-bit Linux: short type, short whence, 4 bytes of padding, long start, long length, int pid, 4 more
const lock = new DataView(new ArrayBuffer(32));
const lockMemory = new Uint8Array(lock.buffer);

/**
 * Tries to take the lock on a file; never blocks. The lock belongs to the process, not to the descriptor, so processes
 * that inherited the same descriptor exclude each other, and the kernel releases it when its holder dies.
 * @returns false when another process holds the lock
 */
export function tryLock(fd: number): boolean {
  lock.setInt16(0, F_WRLCK, true);
  if (libcFcntl(fd, F_SETLK, lockMemory) >= 0) return true;
  const failure = lastErrno();
  if (failure === errno.EAGAIN || failure === errno.EACCES) return false;
  throw new NativeError('fcntl(F_SETLK)', failure);
}

/** The process that holds the lock on a file, as far as it can be seen; undefined if no other process does. Never blocks. */
export function lockHolder(fd: number): number | undefined {
  lock.setInt16(0, F_WRLCK, true);
  if (libcFcntl(fd, F_GETLK, lockMemory) < 0) throw new NativeError('fcntl(F_GETLK)', lastErrno());
  const isFree = lock.getInt16(0, true) === F_UNLCK;
  const pid = lock.getInt32(24, true);
  // the kernel writes into the shared structure
  lockMemory.fill(0);
  return isFree ? undefined : pid;
}

/** Releases the lock. */
export function unlock(fd: number): void {
  lock.setInt16(0, F_UNLCK, true);
  libcFcntl(fd, F_SETLK, lockMemory);
}
