import { setTimeout as sleep } from 'node:timers/promises';

/** A longer wait counts as a hang; a busy host and an emulated guest may need this long. */
const patienceMs = 120_000;

/** Bytes that have arrived and were not read yet; waits end in an error that shows them. */
export class ByteQueue {
  #held: Buffer = Buffer.alloc(0);
  #total = 0;
  #wake: () => void = () => {};

  /** Total number of bytes that have arrived. */
  get total(): number {
    return this.#total;
  }

  push(bytes: Buffer): void {
    this.#held = Buffer.concat([this.#held, bytes]);
    this.#total += bytes.length;
    this.#wake();
  }

  /** The next line, without its newline. */
  line(timeoutMs = patienceMs): Promise<string> {
    return this.#wait(timeoutMs, 'a line', () => {
      const end = this.#held.indexOf(10);
      return end < 0 ? undefined : this.#take(end + 1).toString('utf8', 0, end);
    });
  }

  /** The next `count` bytes. */
  bytes(count: number, timeoutMs = patienceMs): Promise<Buffer> {
    return this.#wait(timeoutMs, `${count} bytes`, () =>
      this.#held.length < count ? undefined : this.#take(count),
    );
  }

  /** All bytes that have arrived and were not read yet. */
  rest(): Buffer {
    return this.#take(this.#held.length);
  }

  #take(count: number): Buffer {
    const taken = this.#held.subarray(0, count);
    this.#held = this.#held.subarray(count);
    return taken;
  }

  async #wait<T>(timeoutMs: number, what: string, take: () => T | undefined): Promise<T> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const taken = take();
      if (taken !== undefined) return taken;
      const left = deadline - Date.now();
      if (left <= 0) {
        const tail = this.#held.subarray(-200).toString('latin1');
        throw new Error(
          `no ${what} within ${timeoutMs} ms; held: ${this.#held.length} bytes ${JSON.stringify(tail)}`,
        );
      }
      const abort = new AbortController();
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      await Promise.race([woken, sleep(left, undefined, { signal: abort.signal }).catch(() => {})]);
      abort.abort();
    }
  }
}
