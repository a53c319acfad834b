import { closeSync } from 'node:fs';
import { connect, Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { codeOf } from '../../base/error-code.ts';
import { exitCode, Failure } from '../../base/failure.ts';
import type { TracedMachine } from '../traced-machine.ts';
import { controlPortName } from '../port-names.ts';

export interface ChannelEvents {
  /** Receives bytes from the guest as they arrive; the callee may keep the chunk. */
  readonly heard: (chunk: Buffer) => void;
  /** Called once, when QEMU exits or the descriptors fail; never after `close`. */
  readonly gone: (why: Failure) => void;
}

/** The control port's host end as a byte stream in both directions. */
export interface Channel {
  /** Queues bytes; resolves when QEMU or the FIFO has accepted them. Never settles when nobody reads. */
  readonly send: (bytes: Buffer) => Promise<void>;
  readonly close: () => void;
}

/**
 * Opens the control port without waiting for QEMU.
 * @throws Failure (missing) when nobody is at the other end
 */
export async function openChannel(guest: TracedMachine, events: ChannelEvents): Promise<Channel> {
  const [input, output] = await openEnds(guest);
  let closed = false;
  function close(): void {
    closed = true;
    input.destroy();
    output.destroy();
  }
  function gone(cause?: unknown): void {
    if (closed) return;
    close();
    const message = `${guest.label} has disconnected: its QEMU closed the control port`;
    events.gone(
      guest.control?.gone(cause) ??
        new Failure(exitCode.missing, message, 'check why QEMU exited', { cause }),
    );
  }
  output.on('data', events.heard);
  output.on('end', () => gone());
  for (const stream of new Set([input, output])) stream.on('error', gone);
  return {
    send: (bytes) => new Promise((resolve) => void input.write(bytes, () => resolve())),
    close,
  };
}

/** The stream to write to, and the one to read from. */
async function openEnds(guest: TracedMachine): Promise<[Writable, Readable]> {
  if (guest.control !== undefined) return [guest.control.stream, guest.control.stream];
  return guest.chardev === 'pipe' ? openFifos(guest) : openSocket(guest);
}

function openFifos(guest: TracedMachine): [Socket, Socket] {
  // `out` first: opening it has no effect on the guest, so nothing needs to be undone if no QEMU has `in` open
  const outFd = guest.openFifo(controlPortName, 'out');
  let inFd: number;
  try {
    inFd = guest.openFifo(controlPortName, 'in');
  } catch (cause) {
    closeSync(outFd);
    throw cause;
  }
  return [
    new Socket({ fd: inFd, readable: false, writable: true }),
    new Socket({ fd: outFd, readable: true, writable: false }),
  ];
}

async function openSocket(guest: TracedMachine): Promise<[Socket, Socket]> {
  const socket = connect(guest.socketPath(controlPortName));
  try {
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  } catch (cause) {
    const path = `${guest.path}/${controlPortName}.socket`;
    if (codeOf(cause) === 'EACCES')
      throw new Failure(exitCode.notPermitted, `cannot open ${path}: permission denied`, 'run as its owner');
    throw guest.nobody(`${controlPortName}.socket`, cause);
  }
  return [socket, socket];
}
