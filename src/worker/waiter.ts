import { eventLoopFd } from '../native/wait/event-loop.ts';
import { POLLIN, PollSet } from '../native/wait/poll.ts';
import { Timerfd } from '../native/wait/timerfd.ts';

/** The event loop has a turn this often, for its timers, which its descriptor does not tell of. */
const loopTurnMs = 500;

/** How a pump waits. */
export interface Waits {
  /** The event loop is to have a turn before the next wait: it has something to do, or has waited for long enough. */
  readonly loopIsDue: boolean;
  /** Tells that the loop has something to do, such as to send a message. */
  askForLoop(): void;
  /** Looks whether the loop has something to do, without waiting. */
  look(): void;
  /** Gives the loop a turn. */
  turnLoop(): Promise<void>;
  /**
   * Waits for events on a descriptor, blocking this thread.
   * @returns what poll found on it; 0: nothing in time, or the loop is due
   */
  ready(fd: number, events: number, timeoutMs: number): number;
  /** Waits for a time, or until woken when it is undefined; the loop turns meanwhile. */
  sleep(ms: number | undefined): Promise<void>;
  /** Ends the sleep under way, if there is one. */
  wake(): void;
}

/**
 * Waits that the event loop's business cuts short, one at a time.
 *
 * The main thread itself waits for the descriptor, together with the one that Node's event loop waits on: a message,
 * a signal or a closing channel ends the wait at once, and the loop is due. That saves the way over a thread and back,
 * and a promise and a turn of the loop for each wake, which cost more than all else that a wake does. The loop's timers
 * do not end such a wait; a timer of our own does, which is polled: between two wakes the caches have gone to others, and
 * to read the clock then costs as much as a splice.
 */
export class Waiter implements Waits {
  readonly #set = new PollSet(3);
  readonly #turnTimer = new Timerfd();
  readonly #turnMs: number;
  #loopIsDue = true;
  #cutSleep: (() => void) | undefined;

  /** @param turnMs how often the event loop has a turn while waits go on */
  constructor(turnMs = loopTurnMs) {
    this.#turnMs = turnMs;
    this.#set.set(1, eventLoopFd(), POLLIN);
    this.#set.set(2, this.#turnTimer.fd, POLLIN);
  }

  wake(): void {
    this.#cutSleep?.();
  }

  get loopIsDue(): boolean {
    return this.#loopIsDue;
  }

  askForLoop(): void {
    this.#loopIsDue = true;
  }

  look(): void {
    this.ready(-1, 0, 0);
  }

  async turnLoop(): Promise<void> {
    await new Promise(setImmediate);
    this.#loopIsDue = false;
    this.#turnTimer.set(this.#turnMs);
  }

  ready(fd: number, events: number, timeoutMs: number): number {
    if (this.#loopIsDue) return 0;
    this.#set.set(0, fd, events);
    this.#set.waitHere(timeoutMs);
    if (this.#set.found(1) !== 0 || this.#set.found(2) !== 0) this.#loopIsDue = true;
    return this.#set.found(0);
  }

  sleep(ms: number | undefined): Promise<void> {
    return new Promise((resolve) => {
      const timer = ms === undefined ? undefined : setTimeout(() => this.#cutSleep?.(), ms);
      this.#cutSleep = () => {
        this.#cutSleep = undefined;
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
