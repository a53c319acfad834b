import { Eventfd } from './eventfd.ts';
import { POLLIN, PollSet } from './poll.ts';

/** Waits that can be interrupted. One wait at a time. */
export class Waiter {
  readonly #set = new PollSet(2);
  readonly #wake = new Eventfd();
  #cutSleep: (() => void) | undefined;
  #polling = false;

  /** Ends the current wait, if there is one. */
  wake(): void {
    if (this.#polling) this.#wake.signal();
    this.#cutSleep?.();
  }

  /**
   * Waits for events on a descriptor.
   * @returns the events that poll found; 0 if there were none in time, or `wake` ended the wait
   */
  async ready(fd: number, events: number, timeoutMs: number): Promise<number> {
    this.#set.set(0, fd, events);
    this.#set.set(1, this.#wake.fd, POLLIN);
    this.#polling = true;
    await this.#set.wait(timeoutMs);
    this.#polling = false;
    if (this.#set.found(1) !== 0) this.#wake.clear();
    return this.#set.found(0);
  }

  /** Waits until `wake`, but at most `ms`. */
  sleep(ms: number | undefined): Promise<void> {
    return new Promise((resolve) => {
      const timer = ms === undefined ? undefined : setTimeout(done, ms);
      function done(this: void): void {
        clearTimeout(timer);
        resolve();
      }
      this.#cutSleep = () => {
        this.#cutSleep = undefined;
        done();
      };
    });
  }
}
