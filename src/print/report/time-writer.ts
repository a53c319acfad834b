import type { TextBuffer } from '../text/text-buffer.ts';

/** `us`: seconds and microseconds, rounded; `ns`: seconds and nanoseconds; `raw`: the clock's own number. */
export type TimeForm = 'us' | 'ns' | 'raw';

/** Maximum distance of a time from the base: up to it, sums are exact. */
export const maxDistance = 2 ** 52;

/**
 * Writes times. 64-bit nanoseconds do not fit in a number, so it keeps a base of whole seconds near the current time,
 * and computes only the difference as a number.
 */
export class TimeWriter {
  readonly form: TimeForm;
  #base = 0n;
  #baseSeconds = 0;
  #origin: bigint | undefined;
  #originDistance = 0;
  readonly #isUs: boolean;
  readonly #perSecond: number;
  /** Start of the current second relative to the base, in printed units, and the second's text. */
  #secondStart = Number.NaN;
  #secondText: Uint8Array = new Uint8Array(0);

  constructor(form: TimeForm) {
    this.form = form;
    this.#isUs = form === 'us';
    this.#perSecond = form === 'us' ? 1e6 : 1e9;
  }

  /** As `write`, for the time `origin + distance`; `distance` must be exact as a number. */
  writeAfter(out: TextBuffer, origin: bigint, distance: number): void {
    if (origin !== this.#origin) {
      this.#origin = origin;
      this.#originDistance = Number(origin - this.#base);
    }
    const fromBase = this.#originDistance + distance;
    const isNear = Math.abs(this.#originDistance) < maxDistance && fromBase >= 0 && fromBase < maxDistance;
    if (this.form === 'raw' || !isNear) this.write(out, BigInt.asUintN(64, origin + BigInt(distance)));
    else this.#write(out, fromBase);
  }

  /** Writes a time as in a line of the report: pads seconds to 5 digits, raw numbers to 12. */
  write(out: TextBuffer, timestamp: bigint): void {
    if (this.form === 'raw') {
      const digits = timestamp.toString();
      out.spaces(12 - digits.length);
      out.string(digits);
      return;
    }
    let distance = Number(timestamp - this.#base);
    if (distance < 0 || distance > maxDistance) distance = this.#rebase(timestamp);
    this.#write(out, distance);
  }

  #write(out: TextBuffer, distanceNs: number): void {
    const units = this.#isUs ? Math.floor((distanceNs + 500) / 1000) : distanceNs;
    let rest = units - this.#secondStart;
    if (!(rest >= 0 && rest < this.#perSecond)) {
      this.#prepare(Math.floor(units / this.#perSecond));
      rest = units - this.#secondStart;
    }
    out.copy(this.#secondText);
    out.zeroPadded(rest, this.#isUs ? 6 : 9);
  }

  #prepare(seconds: number): void {
    this.#secondStart = seconds * this.#perSecond;
    this.#secondText = Buffer.from(`${String(this.#baseSeconds + seconds).padStart(5)}.`);
  }

  #rebase(timestamp: bigint): number {
    const seconds = timestamp / 1_000_000_000n;
    this.#base = seconds * 1_000_000_000n;
    this.#baseSeconds = Number(seconds);
    this.#secondStart = Number.NaN;
    this.#origin = undefined;
    return Number(timestamp - this.#base);
  }
}
