import { constants } from 'node:fs';
import { checked, declare } from '../libc.ts';

const libcFcntl = declare('int fcntl(int fd, int command, intptr_t argument)');

const F_GETFL = 3;
const F_SETFL = 4;
const F_DUPFD_CLOEXEC = 1030;

/** A second descriptor, close-on-exec, of the same open file: position and flags are shared. The caller owns it. */
export function duplicate(fd: number): number {
  return checked('fcntl(F_DUPFD_CLOEXEC)', libcFcntl(fd, F_DUPFD_CLOEXEC, 0));
}

/** Whether the file was opened with O_APPEND. */
export function isAppending(fd: number): boolean {
  return (checked('fcntl(F_GETFL)', libcFcntl(fd, F_GETFL, 0)) & constants.O_APPEND) !== 0;
}

/** Sets O_NONBLOCK on the open file, which affects every process that holds it. */
export function setNonBlocking(fd: number): void {
  const flags = checked('fcntl(F_GETFL)', libcFcntl(fd, F_GETFL, 0));
  checked('fcntl(F_SETFL)', libcFcntl(fd, F_SETFL, flags | constants.O_NONBLOCK));
}
