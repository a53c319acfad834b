import { declare, lastErrno } from '../libc.ts';

const libcSplice = declare(
  'intptr_t splice(int from, void *fromOffset, int to, void *toOffset, size_t bytes, unsigned int flags)',
);
const libcTee = declare('intptr_t tee(int from, int to, size_t bytes, unsigned int flags)');
const libcRead = declare('intptr_t read(int fd, void *buffer, size_t bytes)');
const libcWrite = declare('intptr_t write(int fd, const void *buffer, size_t bytes)');

const SPLICE_F_NONBLOCK = 2;

/**
 * Moves up to `bytes` between two descriptors, one of them a pipe, without copying through user space. Does not block
 * on a pipe, thanks to SPLICE_F_NONBLOCK: before 5.1, splice ignored a pipe's O_NONBLOCK. The flag has no effect on a
 * virtio port, which must be O_NONBLOCK itself.
 * @returns bytes moved, or the negated errno
 */
export function splice(from: number, to: number, bytes: number): number {
  const moved = libcSplice(from, null, to, null, bytes, SPLICE_F_NONBLOCK);
  return moved < 0 ? -lastErrno() : moved;
}

/**
 * Duplicates up to `bytes` of a pipe's content into a second pipe without consuming it.
 * @returns bytes, or the negated errno
 */
export function tee(from: number, to: number, bytes: number): number {
  const given = libcTee(from, to, bytes, SPLICE_F_NONBLOCK);
  return given < 0 ? -lastErrno() : given;
}

/** Calls read(2) once, for up to the length of `buffer`. @returns bytes read, or the negated errno */
export function read(fd: number, buffer: Uint8Array): number {
  const got = libcRead(fd, buffer, buffer.byteLength);
  return got < 0 ? -lastErrno() : got;
}

/** Calls write(2) once with all of `buffer`; it may write fewer bytes. @returns bytes written, or the negated errno */
export function write(fd: number, buffer: Uint8Array): number {
  const put = libcWrite(fd, buffer, buffer.byteLength);
  return put < 0 ? -lastErrno() : put;
}
