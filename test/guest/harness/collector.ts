import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, readFileSync, statSync } from 'node:fs';
import type { ReadStream } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { program } from './programs.ts';

/** A longer wait counts as a hang. */
const patienceMs = 120_000;

/**
 * Reads one trace port's FIFO into a file, in a separate process that only splices. Closing and opening again loses
 * nothing: data is appended to the file.
 */
export class Collector {
  readonly fifo: string;
  /** The file with the raw bytes. */
  readonly file: string;
  #reader: ChildProcess | undefined;

  constructor(fifo: string, file: string) {
    this.fifo = fifo;
    this.file = file;
  }

  /** Opens the FIFO, and returns when it is open. */
  async open(): Promise<this> {
    if (this.#reader !== undefined) return this;
    const args = ['--pdeathsig', 'KILL', program('fifo-drain'), this.fifo, this.file];
    const reader = spawn('setpriv', args, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#reader = reader;
    await Promise.race([
      once(reader.stdout, 'data'),
      once(reader, 'exit').then(() => Promise.reject(new Error(`${this.fifo}: the reader ended`))),
    ]);
    return this;
  }

  /** Bytes collected so far. */
  get bytes(): number {
    return statSync(this.file, { throwIfNoEntry: false })?.size ?? 0;
  }

  /** Keeps the FIFO open, and reads nothing. */
  pause(): void {
    this.#reader?.kill('SIGSTOP');
  }

  resume(): void {
    this.#reader?.kill('SIGCONT');
  }

  /** Closes the FIFO; every byte read from it is in the file when this returns. `open` continues. */
  async close(): Promise<void> {
    const reader = this.#reader;
    this.#reader = undefined;
    if (reader === undefined || reader.exitCode !== null || reader.signalCode !== null) return;
    const exited = once(reader, 'exit');
    reader.kill('SIGTERM');
    reader.kill('SIGCONT');
    await exited;
  }

  /**
   * Waits until nothing has come for `quietMs`, at most `timeoutMs`; returns the number of bytes collected. On a
   * busy machine more may still arrive, so a test that knows how much will arrive waits for that instead.
   */
  async waitQuiet(quietMs: number, timeoutMs = patienceMs): Promise<number> {
    const deadline = Date.now() + timeoutMs;
    let last = this.bytes;
    let since = Date.now();
    while (Date.now() - since < quietMs) {
      if (Date.now() > deadline)
        throw new Error(`${this.fifo} is still busy after ${timeoutMs} ms: ${last} bytes`);
      await sleep(Math.min(quietMs, 20));
      const now = this.bytes;
      if (now !== last) since = Date.now();
      last = now;
    }
    return last;
  }

  /** Waits until `count` bytes have been collected. */
  async waitBytes(count: number, timeoutMs = patienceMs): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    while (this.bytes < count) {
      if (Date.now() > deadline)
        throw new Error(`${this.fifo}: ${this.bytes} of ${count} bytes after ${timeoutMs} ms`);
      await sleep(5);
    }
  }

  /** Everything collected so far, at once. */
  read(): Buffer {
    return this.bytes === 0 ? Buffer.alloc(0) : readFileSync(this.file);
  }

  /** Everything collected so far as a stream, for amounts too large for memory. */
  stream(): ReadStream {
    return createReadStream(this.file);
  }
}
