import type { RotationOptions } from '../contract.ts';

/** When the next set begins. */
export class Schedule {
  readonly #bytes: number;
  readonly #everyMs: number;
  #nextMs: number;
  #fromBytes = 0;

  /** @param nowMs time of the start, of a clock that does not jump */
  constructor(
    { bytes = Infinity, everyMs = Infinity }: Pick<RotationOptions, 'bytes' | 'everyMs'>,
    nowMs: number,
  ) {
    this.#bytes = bytes;
    this.#everyMs = everyMs;
    this.#nextMs = nowMs + everyMs;
  }

  /** @param receivedBytes of all machines since the start */
  isDue(nowMs: number, receivedBytes: number): boolean {
    return nowMs >= this.#nextMs || receivedBytes - this.#fromBytes >= this.#bytes;
  }

  /** Notes that a set has begun. Late sets do not delay the ones after them; times that have passed are left out. */
  begun(nowMs: number, receivedBytes: number): void {
    this.#fromBytes = receivedBytes;
    if (nowMs < this.#nextMs) return;
    this.#nextMs += this.#everyMs * (1 + Math.floor((nowMs - this.#nextMs) / this.#everyMs));
  }
}
