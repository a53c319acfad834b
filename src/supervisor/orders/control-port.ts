import { closeSync } from 'node:fs';
import type { Logger } from 'pino';
import { Backoff } from '../../base/backoff.ts';
import { errno } from '../../native/error.ts';
import { POLLHUP, POLLIN, POLLOUT } from '../../native/wait/poll.ts';
import { read, write } from '../../native/io/transfer.ts';
import { Waiter } from '../../native/wait/waiter.ts';
import { type Line, LineReader } from '../../protocol/line-reader.ts';
import { PortAway } from '../ports/ports.ts';

/** The size of a read from the port. */
const chunkBytes = 4096;
/** Maximum number of reads between two turns of the event loop. */
const readsAtOnce = 16;
/** After this silence a `1` or `0` without a newline counts as an order. */
const silenceMs = 100;
const pollMs = 5000;
/** Maximum size of the answers that wait to be written, in bytes; any further answer is dropped as a whole. */
const queuedBytesMax = 256 * 1024;

/**
 * The control port: reads orders from a byte stream, and writes answers. An unplugged port is opened again by name when
 * it is back. A port without a host end is polled at intervals, not in a busy loop.
 */
export class ControlPort {
  readonly #openIt: () => number;
  readonly #heard: (line: Line) => void;
  readonly #log: Logger;
  readonly #waiter = new Waiter();
  readonly #chunk = new Uint8Array(chunkBytes);
  readonly #hangUp = new Backoff(10, 500);
  readonly #away = new Backoff(100, 1000);
  #reader = new LineReader();
  #fd: number | undefined;
  #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #saidAway: PortAway['why'] | undefined;
  #heardMs = 0;
  #closed = false;

  /**
   * @param open opens the port, non-blocking; throws PortAway or Failure
   * @param heard called with each line, in order; must not throw
   */
  constructor(open: () => number, heard: (line: Line) => void, log: Logger) {
    this.#openIt = open;
    this.#heard = heard;
    this.#log = log;
  }

  /** Opens the port. @throws PortAway or Failure */
  open(): void {
    this.#fd = this.#openIt();
    this.#reader = new LineReader();
    this.#saidAway = undefined;
    this.#away.reset();
    // The first poll may find a host end that is still connecting.
    this.#hangUp.reset();
  }

  /** Serves the port until `close`. */
  async run(): Promise<void> {
    while (!this.#closed) {
      if (this.#fd === undefined) await this.#reopen();
      else await this.#serve(this.#fd);
    }
    this.#drop();
  }

  close(): void {
    this.#closed = true;
    this.#waiter.wake();
  }

  /**
   * Sends an answer without waiting. When nobody reads, answers fill the port's queue, then this object's queue;
   * after that they are dropped as a whole, so that a later reader finds whole lines.
   */
  send(...parts: readonly Uint8Array[]): void {
    if (this.#fd === undefined) return;
    const bytes = parts.reduce((sum, part) => sum + part.byteLength, 0);
    if (this.#queuedBytes > 0 && this.#queuedBytes + bytes > queuedBytesMax) {
      this.#log.debug({ bytes }, 'nobody reads the answers: dropped one');
      return;
    }
    this.#queue.push(...parts);
    this.#queuedBytes += bytes;
    // The next read notices a dead port.
    this.#writeQueued(this.#fd);
    if (this.#queue.length > 0) this.#waiter.wake();
  }

  async #reopen(): Promise<void> {
    try {
      this.open();
      this.#log.info('control port is back');
    } catch (error) {
      if (!(error instanceof PortAway)) throw error;
      if (error.why !== this.#saidAway) this.#log.warn(`${error.message}; ${error.remedy}`);
      this.#saidAway = error.why;
      await this.#waiter.sleep(this.#away.next());
    }
  }

  async #serve(fd: number): Promise<void> {
    if (!this.#readAll(fd) || !this.#writeQueued(fd)) {
      this.#drop();
      return;
    }
    const silentMs = performance.now() - this.#heardMs;
    if (this.#reader.pendingIsBareOrder && silentMs >= silenceMs) this.#hear(this.#reader.flushSilence());
    const waitMs = this.#reader.pendingIsBareOrder ? Math.ceil(silenceMs - silentMs) : pollMs;
    const found = await this.#waiter.ready(fd, this.#queue.length > 0 ? POLLIN | POLLOUT : POLLIN, waitMs);
    if ((found & POLLHUP) === 0) {
      this.#hangUp.reset();
      return;
    }
    // Nobody reads the answers, and the next reader should start with a complete line.
    this.#dropAnswers();
    await this.#waiter.sleep(Math.min(this.#hangUp.next(), waitMs));
  }

  /** @returns false when the port is dead */
  #readAll(fd: number): boolean {
    for (let reads = 0; reads < readsAtOnce; reads += 1) {
      const got = read(fd, this.#chunk);
      if (got <= 0) return got === 0 || isTransient(-got);
      this.#heardMs = performance.now();
      this.#hear(this.#reader.push(this.#chunk.subarray(0, got)));
    }
    return true;
  }

  #hear(lines: readonly Line[]): void {
    for (const line of lines) this.#heard(line);
  }

  /** @returns false when the port is dead */
  #writeQueued(fd: number): boolean {
    for (;;) {
      const [first] = this.#queue;
      if (first === undefined) return true;
      const put = write(fd, first);
      if (put === -errno.EBADF)
        this.#dropAnswers(); // the port is a FIFO, which is opened read-only
      else if (put <= 0) return put === 0 || isTransient(-put);
      else {
        this.#queuedBytes -= put;
        if (put === first.byteLength) this.#queue.shift();
        else this.#queue[0] = first.subarray(put);
      }
    }
  }

  #dropAnswers(): void {
    this.#queue = [];
    this.#queuedBytes = 0;
  }

  #drop(): void {
    this.#dropAnswers();
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}

function isTransient(failure: number): boolean {
  return failure === errno.EAGAIN || failure === errno.EINTR || failure === errno.ENOMEM;
}
