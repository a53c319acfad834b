import { constants } from 'node:fs';
import { checked, declare } from '../libc.ts';

const libcPipe2 = declare('int pipe2(int *ends, int flags)');
const libcFcntl = declare('int fcntl(int fd, int command, intptr_t argument)');
const libcIoctl = declare('int ioctl(int fd, unsigned long request, void *argument)');

const O_CLOEXEC = 0o2000000;
const F_SETPIPE_SZ = 1031;
const F_GETPIPE_SZ = 1032;
const FIONREAD = 0x541b;

export interface Pipe {
  readonly readEnd: number;
  readonly writeEnd: number;
}

/** A pipe with both ends non-blocking and close-on-exec; the caller owns both. */
export function makePipe(): Pipe {
  const ends = new Int32Array(2);
  checked('pipe2', libcPipe2(ends, constants.O_NONBLOCK | O_CLOEXEC));
  return { readEnd: ends[0] ?? -1, writeEnd: ends[1] ?? -1 };
}

/**
 * Sets a pipe's capacity.
 * @returns the capacity in bytes that the kernel chose: a power of two of pages
 * @throws NativeError EPERM above /proc/sys/fs/pipe-max-size without privilege, EBUSY if the pipe holds more than
 * `bytes`
 */
export function setPipeBytes(fd: number, bytes: number): number {
  return checked('fcntl(F_SETPIPE_SZ)', libcFcntl(fd, F_SETPIPE_SZ, bytes));
}

/** A pipe's capacity in bytes. */
export function pipeBytes(fd: number): number {
  return checked('fcntl(F_GETPIPE_SZ)', libcFcntl(fd, F_GETPIPE_SZ, 0));
}

const count = new Int32Array(1);

/** Bytes that a pipe or FIFO holds now. Blocks while another process sleeps in a splice on it. */
export function heldBytes(fd: number): number {
  checked('ioctl(FIONREAD)', libcIoctl(fd, FIONREAD, count));
  return count[0] ?? 0;
}
