import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, readFileSync, statSync } from 'node:fs';
import type { ReadStream } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { program } from './programs.ts';

/** A wait that is longer hangs. */
const patienceMs = 120_000;

/**
 * Reads one trace port's FIFO into a file, in a process of its own that only splices. Closing and opening again
 * loses nothing: the file goes on where it ended.
 */
export class Collector {
  readonly fifo: string;
  /** Where the raw bytes are. */
  readonly file: string;
  #reader: ChildProcess | undefined;

  constructor(fifo: string, file: string) {
    this.fifo = fifo;
    this.file = file;
  }

  /** Opens the FIFO, and returns when that is done. */
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

  /** Keeps the FIFO open and takes nothing. */
  pause(): void {
    this.#reader?.kill('SIGSTOP');
  }

  resume(): void {
    this.#reader?.kill('SIGCONT');
  }

  /** Closes the FIFO; every byte taken from it is in the file when this returns. `open` goes on. */
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
   * Waits until nothing has come for `quietMs`, at most `timeoutMs`; gives the bytes collected. On a busy machine more may
   * come all the same: who knows what is to come waits for that.
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

  /** Waits until `count` bytes are there. */
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

  /** The same for amounts that memory should not hold. */
  stream(): ReadStream {
    return createReadStream(this.file);
  }
}
