import { eventLoopFd } from '../native/event-loop.ts';
import { POLLIN, PollSet } from '../native/poll.ts';

/** The event loop has a turn at least this often, for its timers, which its descriptor does not tell of. */
const loopTurnMs = 500;

/**
 * Waits that an order cuts short, one at a time.
 *
 * The main thread itself waits for the descriptor, together with the one that Node's event loop waits on: a message,
 * a signal or a closing channel ends the wait at once, and the loop is given its turn. That saves the way over a
 * thread and back, and a turn of the loop for each wake, which cost more than all else that a wake does. Only timers
 * do not end such a wait, so it is never longer than they may be late.
 */
export class Waiter {
  readonly #set = new PollSet(2);
  readonly #loopFd = eventLoopFd();
  #woken = false;
  #loopDue = true;
  #loopTurnedMs = 0;
  #cutSleep: (() => void) | undefined;

  /** Ends the wait under way, if there is one. */
  wake(): void {
    this.#woken = true;
    this.#cutSleep?.();
  }

  /** Tells that the loop has something to do before the next wait, such as to send a message. */
  loopIsDue(): void {
    this.#loopDue = true;
  }

  /** Gives the event loop a turn. */
  async turnLoop(): Promise<void> {
    await new Promise(setImmediate);
    this.#loopDue = false;
    this.#loopTurnedMs = performance.now();
  }

  /**
   * Waits for events on a descriptor; timers are late by up to `timeoutMs`.
   * @returns what poll found on it; 0: nothing in time, or woken
   */
  async ready(fd: number, events: number, timeoutMs: number): Promise<number> {
    this.#woken = false;
    let nowMs = performance.now();
    for (const endMs = nowMs + timeoutMs; ; nowMs = performance.now()) {
      if (this.#loopDue || nowMs - this.#loopTurnedMs >= loopTurnMs) await this.turnLoop();
      if (this.#woken) return 0;
      const leftMs = Math.max(0, Math.ceil(endMs - nowMs));
      this.#set.set(0, fd, events);
      this.#set.set(1, this.#loopFd, POLLIN);
      this.#set.waitHere(leftMs);
      if (this.#set.found(1) !== 0) this.#loopDue = true;
      const found = this.#set.found(0);
      if (found !== 0 || leftMs === 0) return found;
    }
  }

  /** Waits for a time, or until woken when it is undefined. */
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
