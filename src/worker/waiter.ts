import { eventLoopFd } from '../native/wait/event-loop.ts';
import { POLLIN, PollSet } from '../native/wait/poll.ts';
import { Timerfd } from '../native/wait/timerfd.ts';

/** The event loop runs at least this often, because an expired timer does not make the loop's descriptor readable. */
const loopTurnMs = 500;

/** The ways in which a pump waits. */
export interface Waits {
  /** Whether the event loop must run before the next wait: it has work, or has not run for some time. */
  readonly loopIsDue: boolean;
  /** Marks that the loop has work, such as a message to send. */
  askForLoop(): void;
  /** Checks whether the loop has work, without waiting. */
  look(): void;
  /** Lets the event loop run once. */
  turnLoop(): Promise<void>;
  /**
   * Waits for events on a descriptor, blocking this thread.
   * @returns the events that poll found; 0 if there were none in time, or if the event loop must run first
   */
  ready(fd: number, events: number, timeoutMs: number): number;
  /** Waits for a time, or until `wake` if the time is undefined; the event loop runs meanwhile. */
  sleep(ms: number | undefined): Promise<void>;
  /** Ends the current sleep, if there is one. */
  wake(): void;
}

/**
 * Waits for one thing at a time. A wait ends early when the event loop has work.
 *
 * The main thread polls the descriptor together with the one that Node's event loop waits on: a message, a signal or a
 * closing channel ends the wait at once, and the loop runs next. That avoids another thread, a promise and a turn of
 * the loop for each wake-up, which together cost more than everything else. The loop's timers do not end such a wait; a
 * timerfd, polled too, ends it at intervals. To read the clock at each wake-up instead would cost as much as a splice,
 * as the caches are cold.
 */
export class Waiter implements Waits {
  readonly #set = new PollSet(3);
  readonly #turnTimer = new Timerfd();
  readonly #turnMs: number;
  #loopIsDue = true;
  #cutSleep: (() => void) | undefined;

  /** @param turnMs interval at which the event loop gets a turn while waits go on */
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
