import { closeSync, constants, openSync } from 'node:fs';
import { Backoff } from '../../base/backoff.ts';
import { codeOf } from '../../base/error-code.ts';
import { errno, errnoName } from '../../native/error.ts';
import { eventLoopFd } from '../../native/wait/event-loop.ts';
import { POLLIN, PollSet } from '../../native/wait/poll.ts';
import { Timerfd } from '../../native/wait/timerfd.ts';
import { makePipe, type Pipe, setPipeBytes } from '../../native/io/pipe.ts';
import { splice } from '../../native/io/transfer.ts';
import type { RawFile } from '../../trace/recording/raw-file.ts';

/** Bytes per splice: the size of the largest pipe that an unprivileged user may have. */
const spliceBytes = 1024 * 1024;
/** Number of splices from one stream before the others get a turn. */
const splicesAtOnce = 4;
/** First and longest interval at which the event loop gets a turn: its timers may be late by this much. */
const loopTurnMs = 50;
const loopTurnMostMs = 250;
/** The first delay before a stream that hung up is checked again; each further delay is longer. */
const hungUpMs = 20;
const hungUpMostMs = 200;

/** The reason why a stream ended before it was closed. */
export type StreamFault =
  /** The file cannot be written: disk full, quota, a broken disk. */
  | { readonly kind: 'file'; readonly code: string }
  /** The port's host end is broken. */
  | { readonly kind: 'port'; readonly code: string };

/** The transfer of one CPU, from its port to its file. */
export interface Stream {
  /** Non-blocking; a FIFO's reading end or a connected socket. The collector closes it. */
  readonly fd: number;
  readonly chardev: 'pipe' | 'socket';
  /** May be replaced at any time; later bytes go to the new file. */
  file: RawFile;
  /** Called if the port fails, and for each file that fails. The transfer then ends, unless the file is replaced. */
  readonly failed: (fault: StreamFault) => void;
}

interface Running {
  readonly stream: Stream;
  /** A pipe between a socket and the file; a FIFO needs none. */
  readonly between: Pipe | undefined;
  /** Delay for a stream that hung up: a FIFO without QEMU at the other end reports POLLHUP at once and forever. */
  readonly hungUp: Backoff;
  notBeforeMs: number;
  betweenBytes: number;
}

/**
 * Moves the data of trace ports into files, for any number of guests and CPUs in one loop. No byte passes through
 * this process: the kernel splices from FIFO to file.
 */
export class Collector {
  readonly #loopFd = eventLoopFd();
  readonly #turnTimer = new Timerfd();
  #streams: Running[] = [];
  #closed = false;
  #done: Promise<void> = Promise.resolve();
  #running = false;

  add(stream: Stream): void {
    if (stream.chardev === 'pipe') enlarge(stream.fd);
    this.#streams.push({
      stream,
      between: stream.chardev === 'socket' ? wide(makePipe()) : undefined,
      hungUp: new Backoff(hungUpMs, hungUpMostMs),
      notBeforeMs: 0,
      betweenBytes: 0,
    });
    if (this.#running) return;
    this.#running = true;
    this.#done = this.#run();
  }

  /** Stops reading and closes the streams' descriptors; the FIFOs keep their content. The files stay open. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#done;
    for (const stream of this.#streams) release(stream);
    this.#streams = [];
    this.#turnTimer.close();
  }

  /**
   * The main thread polls streams and event loop together, because waking another thread would cost more than the
   * transfer. Work of the event loop ends the wait; its timers do not, so the loop gets a turn at intervals, which
   * grow while it has no work.
   */
  async #run(): Promise<void> {
    let turnMs = loopTurnMs;
    for (;;) {
      await new Promise(setImmediate);
      if (this.#closed) return;
      const nowMs = performance.now();
      const awake = this.#streams.filter((stream) => stream.notBeforeMs <= nowMs);
      const set = new PollSet(awake.length + 2);
      awake.forEach(({ stream }, index) => set.set(index, stream.fd, POLLIN));
      set.set(awake.length, this.#loopFd, POLLIN);
      set.set(awake.length + 1, this.#turnTimer.fd, POLLIN);
      this.#turnTimer.set(awake.length < this.#streams.length ? loopTurnMs : turnMs);
      while (this.#collect(awake, set));
      turnMs = set.found(awake.length) === 0 ? Math.min(turnMs * 2, loopTurnMostMs) : loopTurnMs;
    }
  }

  /**
   * Waits, and moves what has come. It touches little memory, as the caches are cold after a wait.
   * @returns whether the event loop can wait
   */
  #collect(awake: readonly Running[], set: PollSet): boolean {
    set.waitHere(-1);
    let canWait = set.found(awake.length) === 0 && set.found(awake.length + 1) === 0;
    for (let index = 0; index < awake.length; index += 1)
      if (set.found(index) !== 0 && !this.#move(awake[index]!)) canWait = false;
    return canWait;
  }

  /** @returns false if it hung up or failed */
  #move(running: Running): boolean {
    for (let turn = 0; turn < splicesAtOnce; turn += 1) {
      let moved: number;
      try {
        moved = move(running);
      } catch (cause) {
        this.#failFile(running, codeOf(cause));
        return false;
      }
      if (moved > 0) {
        running.hungUp.reset();
        // there is hardly more, and if there is, the next poll finds it
        if (moved < spliceBytes) return true;
        continue;
      }
      if (isTransient(-moved)) return true;
      if (moved === 0) running.notBeforeMs = performance.now() + running.hungUp.next();
      else this.#fail(running, -moved);
      return false;
    }
    return true;
  }

  #fail(running: Running, failure: number): void {
    // reading a FIFO, or the pipe after a socket, cannot fail
    if (running.between === undefined || running.betweenBytes > 0) {
      this.#failFile(running, errnoName(failure));
      return;
    }
    this.#drop(running);
    running.stream.failed({ kind: 'port', code: errnoName(failure) });
  }

  #failFile(running: Running, code: string): void {
    const { stream } = running;
    const { file } = stream;
    stream.failed({ kind: 'file', code });
    // a port that nobody reads would delay its guest's stop
    if (stream.file === file) this.#drop(running);
  }

  #drop(running: Running): void {
    this.#streams = this.#streams.filter((other) => other !== running);
    release(running);
  }
}

function isTransient(failure: number): boolean {
  return failure === errno.EAGAIN || failure === errno.EINTR || failure === errno.ENOMEM;
}

/** @returns bytes written to the file, 0 when there is no more data, or the negated errno */
function move(running: Running): number {
  const { stream, between } = running;
  if (between === undefined) return toFile(stream, stream.fd, spliceBytes);
  // splice needs a pipe at one end, and a socket is not one
  if (running.betweenBytes === 0) {
    const got = splice(stream.fd, between.writeEnd, spliceBytes);
    if (got <= 0) return got;
    running.betweenBytes = got;
  }
  const moved = toFile(stream, between.readEnd, running.betweenBytes);
  if (moved > 0) running.betweenBytes -= moved;
  return moved;
}

function toFile({ file }: Stream, from: number, bytes: number): number {
  const moved = splice(from, file.fd, Math.min(bytes, file.roomBytes));
  if (moved > 0) file.took(moved);
  return moved;
}

/** Enlarges a pipe, for fewer wake-ups. If this user may not, the default size works too. */
function enlarge(fd: number): void {
  try {
    setPipeBytes(fd, spliceBytes);
  } catch {
    // EPERM above /proc/sys/fs/pipe-max-size or the user's share
  }
}

function wide(pipe: Pipe): Pipe {
  enlarge(pipe.writeEnd);
  return pipe;
}

function release({ stream, between }: Running): void {
  closeSync(stream.fd);
  if (between === undefined) return;
  closeSync(between.readEnd);
  closeSync(between.writeEnd);
}

/** Discards bytes that a port still delivers from an earlier trace. */
export class Nowhere implements RawFile {
  readonly fd = openSync('/dev/null', constants.O_WRONLY);
  readonly roomBytes = spliceBytes;
  readonly keptBytes = 0;
  receivedBytes = 0;

  took(bytes: number): void {
    this.receivedBytes += bytes;
  }

  close(): void {
    closeSync(this.fd);
  }
}
