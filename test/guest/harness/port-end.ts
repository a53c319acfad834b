import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { connect, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { ByteQueue } from './byte-queue.ts';
import type { PlacedPort } from './ports.ts';

/**
 * The host's end of a port for small talk: the control port, and tests that send a few bytes. A FIFO is opened
 * without waiting, so QEMU has to run; bulk belongs to `Collector`.
 */
export class PortEnd {
  readonly port: PlacedPort;
  /** What came from the guest since `listen` or `connect`. */
  readonly received = new ByteQueue();
  #socket: Socket | undefined;

  constructor(port: PlacedPort) {
    this.port = port;
  }

  /** Starts to read what the guest sends: the FIFO, or as the socket's client. Harmless when done already. */
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
    // QEMU going away is the guest's end and is seen there.
    this.#socket.on('error', () => {});
    return this;
  }

  /** Sends as `echo` and `cat` into the FIFO do; returns when QEMU or the FIFO has all of it. */
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

  /** Stops to read; the guest sees nothing of it on a FIFO, and a hang-up on a socket. */
  close(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
  }
}
