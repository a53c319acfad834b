import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { connect, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { ByteQueue } from './byte-queue.ts';
import type { PlacedPort } from './ports.ts';

/**
 * The host end of a port for short messages: the control port, and tests that send a few bytes. A FIFO is opened
 * without waiting, so QEMU has to run; use `Collector` for bulk data.
 */
export class PortEnd {
  readonly port: PlacedPort;
  /** Bytes from the guest since `listen` or `connect`. */
  readonly received = new ByteQueue();
  #socket: Socket | undefined;

  constructor(port: PlacedPort) {
    this.port = port;
  }

  /** Starts to read what the guest sends: the FIFO, or as the socket's client. May be called again. */
  async listen(): Promise<this> {
    if (this.#socket !== undefined) return this;
    if (this.port.chardev === 'pipe') {
      const fd = openSync(`${this.port.path}.out`, constants.O_RDONLY | constants.O_NONBLOCK);
      this.#socket = new Socket({ fd, readable: true, writable: false });
    } else {
      const socket = connect(this.port.path);
      await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
      this.#socket = socket;
    }
    this.#socket.on('data', (bytes) => this.received.push(bytes));
    // The end of QEMU is the guest's end, and is detected there.
    this.#socket.on('error', () => {});
    return this;
  }

  /** Sends data like `echo` and `cat` into the FIFO; returns when QEMU or the FIFO has all of it. */
  async send(data: string | Uint8Array, timeoutMs = 120_000): Promise<void> {
    if (this.port.chardev === 'socket') {
      await this.listen();
      this.#socket?.write(data);
      return;
    }
    const bytes = Buffer.from(data);
    const deadline = Date.now() + timeoutMs;
    const fd = openSync(`${this.port.path}.in`, constants.O_WRONLY | constants.O_NONBLOCK);
    try {
      for (let sent = 0; sent < bytes.length; ) {
        try {
          sent += writeSync(fd, bytes, sent);
        } catch (error) {
          const full = error instanceof Error && 'code' in error && error.code === 'EAGAIN';
          if (!full || Date.now() > deadline) throw error;
          await sleep(2);
        }
      }
    } finally {
      closeSync(fd);
    }
  }

  /** `echo WORD > NAME.in`. */
  order(word: string): Promise<void> {
    return this.send(`${word}\n`);
  }

  /** Stops reading; with a FIFO the guest does not notice, with a socket it sees a hang-up. */
  close(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
  }
}
