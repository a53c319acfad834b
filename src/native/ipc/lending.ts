import { closeSync } from 'node:fs';
import { errno, NativeError } from '../error.ts';
import { addressOf, checked, declare, lastErrno } from '../libc.ts';

const libcSocketpair = declare('int socketpair(int domain, int type, int protocol, int *ends)');
const libcSendmsg = declare('intptr_t sendmsg(int fd, const void *message, int flags)');
const libcRecvmsg = declare('intptr_t recvmsg(int fd, void *message, int flags)');

const AF_UNIX = 1;
/** SOCK_SEQPACKET: a message arrives whole, with its descriptors. */
const SOCK_SEQPACKET = 5;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_CTRUNC = 0x8;
const MSG_TRUNC = 0x20;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x40000000;

/** Maximum size of the text that is sent with the descriptors. */
const textBytesMax = 1024;
/** Maximum number of descriptors in one message. */
const descriptorsMax = 8;

// On 64-bit Linux, where glibc and musl agree once the padding is zero: struct cmsghdr is { long length, int level,
// int type }, struct iovec { pointer, long length }, struct msghdr { pointer name, int, pointer to iovecs, long count,
// pointer to control, long length, int flags }.
const controlHeaderBytes = 16;
const controlBytes = controlHeaderBytes + 4 * descriptorsMax;

/**
 * Offsets in the buffer of one message, which is reused: struct msghdr, its one iovec, the control message, the text.
 */
const at = { header: 0, iovec: 56, control: 72, text: 72 + controlBytes };
const memory = new Uint8Array(at.text + textBytesMax);
const view = new DataView(memory.buffer);

export interface SocketPair {
  readonly ours: number;
  readonly theirs: number;
}

/** Two connected sockets that carry messages, non-blocking and close-on-exec; the caller owns both. */
export function makeSocketPair(): SocketPair {
  const ends = new Int32Array(2);
  checked('socketpair', libcSocketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends));
  return { ours: ends[0] ?? -1, theirs: ends[1] ?? -1 };
}

/**
 * Sends a message with file descriptors; the receiver gets duplicates, which it owns. Descriptors in flight stay open
 * when the sender closes its own; if they are never received, they are closed along with the socket. Does not block.
 * @throws NativeError EPIPE (nobody holds the other end), EAGAIN, EBADF, EMSGSIZE, ETOOMANYREFS
 */
export function sendDescriptors(socket: number, text: string, fds: readonly number[]): void {
  const bytes = Buffer.from(text);
  if (bytes.byteLength > textBytesMax || fds.length > descriptorsMax)
    throw new NativeError('sendmsg', errno.EMSGSIZE);
  memory.set(bytes, at.text);
  const length = controlHeaderBytes + 4 * fds.length;
  setHeader(bytes.byteLength, Math.ceil(length / 8) * 8);
  view.setBigUint64(at.control, BigInt(length), true);
  view.setInt32(at.control + 8, SOL_SOCKET, true);
  view.setInt32(at.control + 12, SCM_RIGHTS, true);
  fds.forEach((fd, index) => view.setInt32(at.control + controlHeaderBytes + 4 * index, fd, true));
  checked('sendmsg', libcSendmsg(socket, memory, MSG_NOSIGNAL));
}

export interface Received {
  readonly text: string;
  /** Close-on-exec; the caller owns them. */
  readonly fds: readonly number[];
}

/**
 * Receives a message sent by `sendDescriptors`. Does not block.
 * @returns undefined when there is no message, or the other end is closed
 * @throws NativeError EMSGSIZE when the message was truncated, e.g. at this process's descriptor limit; the
 * descriptors that did arrive are closed
 */
export function receiveDescriptors(socket: number): Received | undefined {
  setHeader(textBytesMax, controlBytes);
  const got = libcRecvmsg(socket, memory, MSG_CMSG_CLOEXEC);
  if (got < 0) {
    const failure = lastErrno();
    if (failure === errno.EAGAIN) return undefined;
    throw new NativeError('recvmsg', failure);
  }
  const fds = receivedFds();
  if ((view.getInt32(at.header + 48, true) & (MSG_CTRUNC | MSG_TRUNC)) !== 0) {
    for (const fd of fds) closeSync(fd);
    throw new NativeError('recvmsg', errno.EMSGSIZE);
  }
  if (got === 0 && fds.length === 0) return undefined;
  return { text: Buffer.from(memory.subarray(at.text, at.text + got)).toString(), fds };
}

/** The descriptors of the received message; the buffer has room for one control message only. */
function receivedFds(): number[] {
  if (view.getBigUint64(at.header + 40, true) < controlHeaderBytes) return [];
  if (view.getInt32(at.control + 8, true) !== SOL_SOCKET) return [];
  if (view.getInt32(at.control + 12, true) !== SCM_RIGHTS) return [];
  const count = (Number(view.getBigUint64(at.control, true)) - controlHeaderBytes) / 4;
  return Array.from({ length: count }, (_, index) =>
    view.getInt32(at.control + controlHeaderBytes + 4 * index, true),
  );
}

function setHeader(textBytes: number, controlLength: number): void {
  const base = addressOf(memory);
  memory.fill(0, 0, at.control);
  view.setBigUint64(at.header + 16, base + BigInt(at.iovec), true);
  view.setBigUint64(at.header + 24, 1n, true);
  view.setBigUint64(at.header + 32, base + BigInt(at.control), true);
  view.setBigUint64(at.header + 40, BigInt(controlLength), true);
  view.setBigUint64(at.iovec, base + BigInt(at.text), true);
  view.setBigUint64(at.iovec + 8, BigInt(textBytes), true);
}
