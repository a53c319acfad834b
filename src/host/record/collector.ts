import { closeSync, constants, openSync } from 'node:fs';
import { Backoff } from '../../base/backoff.ts';
import { codeOf } from '../../base/error-code.ts';
import { errno, errnoName } from '../../native/error.ts';
import { eventLoopFd } from '../../native/wait/event-loop.ts';
import { POLLIN, PollSet } from '../../native/wait/poll.ts';
import { makePipe, type Pipe, setPipeBytes } from '../../native/io/pipe.ts';
import { splice } from '../../native/io/transfer.ts';
import type { RawFile } from '../../trace/recording/raw-file.ts';

/** A splice of the largest pipe that an unprivileged user may have. */
const spliceBytes = 1024 * 1024;
/** Splices from one stream before the others have their turn. */
const splicesAtOnce = 4;
/** The event loop has a turn this often: that late may its timers be, and new streams and closed ones be seen. */
const loopTurnMs = 50;
/** A stream that hung up is looked at again this soon, and later and later. */
const hungUpMs = 20;
const hungUpMostMs = 200;

/** Why a stream ended before it was closed. */
export type StreamFault =
  /** The file takes no more: disk full, quota, a broken disk. */
  | { readonly kind: 'file'; readonly code: string }
  /** The port's host end is broken. */
  | { readonly kind: 'port'; readonly code: string };

/** One CPU's way from its port to its file. */
export interface Stream {
  /** Non-blocking; a FIFO's reading end or a connected socket. The collector closes it. */
  readonly fd: number;
  readonly chardev: 'pipe' | 'socket';
  /** May be exchanged at any time: what comes from then on goes there. */
  file: RawFile;
  /** Said once of a port, which is not read any more; of a file too, unless another one was put in its place. */
  readonly failed: (fault: StreamFault) => void;
}

interface Running {
  readonly stream: Stream;
  /** Between a socket and the file; a FIFO is a pipe itself. */
  readonly between: Pipe | undefined;
  /** Without QEMU at the other end a FIFO says POLLHUP at once and for ever. */
  readonly hungUp: Backoff;
  notBeforeMs: number;
  betweenBytes: number;
}

/**
 * Moves what trace ports bring into files, for any number of guests and CPUs in one loop and without a byte passing
 * through this process: the kernel splices from FIFO to file.
 */
export class Collector {
  readonly #loopFd = eventLoopFd();
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

  /** Stops reading and closes the streams' descriptors; what is in the FIFOs stays there. The files stay open. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#done;
    for (const stream of this.#streams) release(stream);
    this.#streams = [];
  }

  /**
   * The main thread waits for streams and event loop together: a wake on another thread would cost more than the move.
   * What the event loop has to do ends the wait, all but timers, which may be late by `loopTurnMs`.
   */
  async #run(): Promise<void> {
    let turnedMs = 0;
    while (!this.#closed) {
      const nowMs = performance.now();
      const awake = this.#streams.filter((stream) => stream.notBeforeMs <= nowMs);
      const set = new PollSet(awake.length + 1);
      awake.forEach(({ stream }, index) => set.set(index, stream.fd, POLLIN));
      set.set(awake.length, this.#loopFd, POLLIN);
      set.waitHere(Math.max(0, Math.ceil(turnedMs + loopTurnMs - nowMs)));
      if (set.found(awake.length) !== 0 || performance.now() - turnedMs >= loopTurnMs) {
        await new Promise(setImmediate);
        turnedMs = performance.now();
      }
      awake.forEach((running, index) => {
        if (set.found(index) !== 0) this.#move(running);
      });
    }
  }

  #move(running: Running): void {
    for (let turn = 0; turn < splicesAtOnce; turn += 1) {
      let moved: number;
      try {
        moved = move(running);
      } catch (cause) {
        this.#failFile(running, codeOf(cause));
        return;
      }
      if (moved > 0) {
        running.hungUp.reset();
        continue;
      }
      if (moved === 0) running.notBeforeMs = performance.now() + running.hungUp.next();
      else if (!isTransient(-moved)) this.#fail(running, -moved);
      return;
    }
  }

  #fail(running: Running, failure: number): void {
    // a FIFO that is read knows no failure, nor does the pipe behind a socket
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
    // a port that nobody reads would hold up its guest's stop
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

/** @returns bytes that went into the file, 0 at the end of what there is, or the negated errno */
function move(running: Running): number {
  const { stream, between } = running;
  if (between === undefined) return toFile(stream, stream.fd, spliceBytes);
  // splice wants a pipe at one end, and a socket is none
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

/** A larger pipe means fewer wakes; the default one works too where this user may not have it. */
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

/** Takes bytes and keeps none: what a port still brings of an earlier trace. */
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
