import { errno, NativeError } from '../error.ts';
import { declare, lastErrno } from '../libc.ts';

const libcPoll = declare('int poll(void *descriptors, unsigned long count, int timeoutMs)');

export const POLLIN = 0x1;
export const POLLOUT = 0x4;
export const POLLERR = 0x8;
export const POLLHUP = 0x10;

const entryBytes = 8; // struct pollfd: int fd, short events, short revents

/** A set of descriptors to poll together. It is reused, so that a wait allocates nothing but its promise. */
export class PollSet {
  readonly #memory: Uint8Array;
  readonly #words: Int32Array;
  readonly #halves: Int16Array;
  readonly #count: number;

  constructor(count: number) {
    this.#memory = new Uint8Array(count * entryBytes);
    this.#words = new Int32Array(this.#memory.buffer);
    this.#halves = new Int16Array(this.#memory.buffer);
    this.#count = count;
    for (let index = 0; index < count; index += 1) this.clear(index);
  }

  set(index: number, fd: number, events: number): void {
    this.#words[index * 2] = fd;
    this.#halves[index * 4 + 2] = events;
    this.#halves[index * 4 + 3] = 0;
  }

  /** Removes an entry: poll ignores a negative descriptor. */
  clear(index: number): void {
    this.set(index, -1, 0);
  }

  /** The events that the last wait found on an entry. */
  found(index: number): number {
    return this.#halves[index * 4 + 3] ?? 0;
  }

  /** Waits, blocking this thread. @returns the number of entries that have events */
  waitHere(timeoutMs: number): number {
    const ready = libcPoll(this.#memory, this.#count, timeoutMs);
    if (ready >= 0) return ready;
    const failure = lastErrno();
    if (failure === errno.EINTR) return 0;
    throw new NativeError('poll', failure);
  }

  /**
   * Waits on another thread, so that the event loop keeps running. Process exit waits for this thread, so end the wait
   * before exiting. An interrupted call reports no events.
   * @returns the number of entries that have events
   */
  wait(timeoutMs: number): Promise<number> {
    return new Promise((resolve, reject) => {
      libcPoll.async(this.#memory, this.#count, timeoutMs, (error: Error | null, ready: number) => {
        if (error !== null) reject(error);
        else if (ready >= 0) resolve(ready);
        else {
          const failure = lastErrno();
          if (failure === errno.EINTR) resolve(0);
          else reject(new NativeError('poll', failure));
        }
      });
    });
  }
}
