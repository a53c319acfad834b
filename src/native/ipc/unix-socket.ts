import { closeSync } from 'node:fs';
import { errno, NativeError } from '../error.ts';
import { checked, declare, lastErrno } from '../libc.ts';

const libcSocket = declare('int socket(int domain, int type, int protocol)');
const libcConnect = declare('int connect(int fd, const void *address, unsigned int bytes)');
const libcSendto = declare(
  'intptr_t sendto(int fd, const void *data, uintptr_t bytes, int flags, const void *address, unsigned int addressBytes)',
);

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const MSG_NOSIGNAL = 0x4000;
/** sizeof(sun_path), including the terminating NUL. */
const pathBytesMax = 108;

/**
 * A UNIX stream socket, non-blocking and close-on-exec, connected to the one at `path`; the caller owns it. Node's own
 * sockets do not expose their descriptor, which splice needs. Does not block.
 * @throws NativeError ENOENT, ECONNREFUSED, EACCES, EAGAIN (the backlog is full), ENAMETOOLONG
 */
export function connectUnix(path: string): number {
  const address = pathAddress('connect', path);
  const fd = unixSocket(SOCK_STREAM);
  if (libcConnect(fd, address, address.byteLength) >= 0) return fd;
  const failure = lastErrno();
  closeSync(fd);
  throw new NativeError('connect', failure);
}

/**
 * Sends one datagram to a UNIX socket, which Node cannot do. Does not block.
 * @param to the socket's path, or `@` followed by its name in the abstract namespace
 * @throws NativeError EAGAIN (its queue is full), ENOENT, ECONNREFUSED, EACCES, ENAMETOOLONG
 */
export function sendUnixDatagram(to: string, text: string): void {
  const address = to.startsWith('@') ? abstractAddress('sendto', to) : pathAddress('sendto', to);
  const data = Buffer.from(text);
  const fd = unixSocket(SOCK_DGRAM);
  try {
    const sent = libcSendto(fd, data, data.byteLength, MSG_NOSIGNAL, address, address.byteLength);
    checked('sendto', sent);
  } finally {
    closeSync(fd);
  }
}

function unixSocket(type: number): number {
  return checked('socket', libcSocket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

function pathAddress(call: string, path: string): Buffer {
  const name = Buffer.from(path);
  if (name.byteLength >= pathBytesMax) throw new NativeError(call, errno.ENAMETOOLONG);
  const address = Buffer.alloc(2 + pathBytesMax);
  address.writeUInt16LE(AF_UNIX, 0);
  name.copy(address, 2);
  return address;
}

/**
 * The address of a name in the abstract namespace: a NUL replaces the `@`. The address length marks the end of the
 * name; a trailing NUL would be part of the name.
 */
function abstractAddress(call: string, name: string): Buffer {
  const address = Buffer.from(`\0\0${name}`);
  if (address.byteLength > 2 + pathBytesMax) throw new NativeError(call, errno.ENAMETOOLONG);
  address.writeUInt16LE(AF_UNIX, 0);
  address.writeUInt8(0, 2);
  return address;
}
