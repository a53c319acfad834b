import type { TextBuffer } from '../text/text-buffer.ts';

/** `us`: seconds and microseconds, rounded; `ns`: seconds and nanoseconds; `raw`: the clock's own number. */
export type TimeForm = 'us' | 'ns' | 'raw';

const secondNs = 1e9;
/** How far times may be from the base so that sums stay exact. */
const maxDistance = 2 ** 52;

/**
 * Writes times. Nanoseconds of 64 bits do not fit in a number: keeps a base of whole seconds near the current time, so
 * that only the difference is computed, as a number.
 */
export class TimeWriter {
  readonly form: TimeForm;
  #base = 0n;
  #baseSeconds = 0;
  /** Seconds since the base, and the text of those since zero. */
  #seconds = -1;
  #secondsText: Uint8Array = new Uint8Array(0);

  constructor(form: TimeForm) {
    this.form = form;
  }

  /** As in a line: seconds have at least 5 places, a raw number 12. */
  write(out: TextBuffer, timestamp: bigint): void {
    if (this.form === 'raw') {
      const digits = timestamp.toString();
      out.spaces(12 - digits.length);
      out.string(digits);
      return;
    }
    let distance = Number(timestamp - this.#base);
    if (distance < 0 || distance > maxDistance) distance = this.#rebase(timestamp);
    if (this.form === 'us') distance = Math.floor((distance + 500) / 1000) * 1000;
    const seconds = Math.floor(distance / secondNs);
    const rest = distance - seconds * secondNs;
    if (seconds !== this.#seconds) this.#prepare(seconds);
    out.text(this.#secondsText);
    if (this.form === 'us') out.zeroPadded(rest / 1000, 6);
    else out.zeroPadded(rest, 9);
  }

  #prepare(seconds: number): void {
    this.#seconds = seconds;
    this.#secondsText = Buffer.from(`${String(this.#baseSeconds + seconds).padStart(5)}.`);
  }

  #rebase(timestamp: bigint): number {
    const seconds = timestamp / 1_000_000_000n;
    this.#base = seconds * 1_000_000_000n;
    this.#baseSeconds = Number(seconds);
    this.#seconds = -1;
    return Number(timestamp - this.#base);
  }
}
