import { closeSync } from 'node:fs';
import { errno, NativeError } from './error.ts';
import { checked, declare, lastErrno } from './libc.ts';

const libcSocket = declare('int socket(int domain, int type, int protocol)');
const libcConnect = declare('int connect(int fd, const void *address, unsigned int bytes)');

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
/** sizeof sun_path, its final NUL included. */
const pathBytesMax = 108;

/**
 * A UNIX stream socket, non-blocking and close-on-exec, connected to the one at `path`; the caller owns it. Node's own
 * sockets keep their descriptor to themselves, and splice needs it. Does not wait.
 * @throws NativeError ENOENT, ECONNREFUSED, EACCES, EAGAIN (too many wait), ENAMETOOLONG
 */
export function connectUnix(path: string): number {
  const name = Buffer.from(path);
  if (name.byteLength >= pathBytesMax) throw new NativeError('connect', errno.ENAMETOOLONG);
  const address = Buffer.alloc(2 + pathBytesMax);
  address.writeUInt16LE(AF_UNIX, 0);
  name.copy(address, 2);
  const fd = checked('socket', libcSocket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (libcConnect(fd, address, address.byteLength) >= 0) return fd;
  const failure = lastErrno();
  closeSync(fd);
  throw new NativeError('connect', failure);
}
