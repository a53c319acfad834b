const minus = 0x2d;
const zero = 0x30;
const space = 0x20;
const newline = 0x0a;
const letterA = 0x61;
const twoTo32 = 2 ** 32;

/** Limit for the text of one event: a hostile format may ask for gigabytes. */
export const maxEventBytes = 1 << 20;
const tooLongMark = Buffer.from('[TOO LONG]');

/**
 * Text as bytes, appended in place without strings, so that a line costs no allocation. Grows as needed. The owner
 * writes `bytes.subarray(0, length)` somewhere and then sets `length` to 0.
 */
export class TextBuffer {
  bytes: Uint8Array;
  length = 0;
  /** Where a NUL ended the line early; -1 for none. */
  cutAt = -1;

  constructor(bytes = 64 << 10) {
    this.bytes = new Uint8Array(bytes);
  }

  /** Makes room for `count` more bytes. */
  reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }

  byte(value: number): void {
    this.reserve(1);
    this.bytes[this.length++] = value;
  }

  /** Copies `source[start..end)`. */
  copy(source: Uint8Array, start: number, end: number): void {
    this.reserve(end - start);
    const { bytes } = this;
    let at = this.length;
    // a loop beats set() for the short texts that events have
    if (end - start > 48) bytes.set(source.subarray(start, end), at);
    else for (let from = start; from < end; from++) bytes[at++] = source[from]!;
    this.length += end - start;
  }

  text(source: Uint8Array): void {
    this.copy(source, 0, source.length);
  }

  /** Appends latin1 text. */
  string(text: string): void {
    this.reserve(text.length);
    const { bytes } = this;
    let at = this.length;
    for (let index = 0; index < text.length; index++) bytes[at++] = text.charCodeAt(index);
    this.length = at;
  }

  /** Ends the line here: `endLine` drops anything appended later. */
  cut(): void {
    if (this.cutAt < 0) this.cutAt = this.length;
  }

  /** Ends the line that began at `start`; drops one newline that it may already end with. */
  endLine(start: number): void {
    if (this.cutAt >= 0) {
      this.length = this.cutAt;
      this.cutAt = -1;
    }
    if (this.length > start && this.bytes[this.length - 1] === newline) this.length--;
    this.byte(newline);
  }

  /**
   * Whether the text that began at `start` reaches its limit; then it is cut there and marked. Call it after each part of
   * an event, and stop if it returns true.
   */
  isTooLong(start: number): boolean {
    const end = start + maxEventBytes;
    if (this.length <= end) return false;
    if (this.cutAt > end) this.cutAt = -1;
    this.length = end;
    this.text(tooLongMark);
    return true;
  }

  spaces(count: number): void {
    if (count <= 0) return;
    this.reserve(count);
    this.bytes.fill(space, this.length, this.length + count);
    this.length += count;
  }

  /** Appends an integer of at most 2^53. */
  decimal(value: number): void {
    if (value < 0) {
      this.byte(minus);
      value = -value;
    }
    if (value >= 1e9) {
      const high = Math.floor(value / 1e9);
      this.decimal(high);
      this.zeroPadded(value - high * 1e9, 9);
      return;
    }
    this.reserve(10);
    const digits = digitsOf(value);
    this.#digits(value, digits);
  }

  /** Appends an integer below 2^53, with zeros in front up to `width` digits. */
  zeroPadded(value: number, width: number): void {
    if (value >= 1e9) {
      const high = Math.floor(value / 1e9);
      this.zeroPadded(high, width - 9);
      this.zeroPadded(value - high * 1e9, 9);
      return;
    }
    const digits = Math.max(digitsOf(value), width);
    this.reserve(digits);
    this.#digits(value, digits);
  }

  /** Appends a non-negative integer below 2^53 in hexadecimal. */
  hex(value: number): void {
    if (value < twoTo32) this.hexWords(0, value);
    else this.hexWords(Math.floor(value / twoTo32), value % twoTo32);
  }

  /** Appends the 64-bit value high x 2^32 + low in hexadecimal. */
  hexWords(high: number, low: number): void {
    this.reserve(16);
    if (high === 0) {
      this.#hexDigits(low, low === 0 ? 1 : 8 - (Math.clz32(low) >> 2));
      return;
    }
    this.#hexDigits(high, 8 - (Math.clz32(high) >> 2));
    this.#hexDigits(low, 8);
  }

  /** Appends one byte as two hexadecimal digits. */
  hexByte(value: number): void {
    this.reserve(2);
    this.#hexDigits(value, 2);
  }

  #digits(value: number, digits: number): void {
    const { bytes } = this;
    // below 1e9: 32-bit arithmetic is faster
    let rest = value | 0;
    for (let at = this.length + digits - 1; at >= this.length; at--) {
      const next = (rest / 10) | 0;
      bytes[at] = zero + (rest - next * 10);
      rest = next;
    }
    this.length += digits;
  }

  #hexDigits(value: number, digits: number): void {
    const { bytes } = this;
    let at = this.length;
    let shift = (digits - 1) << 2;
    for (; shift >= 0; shift -= 4) {
      const digit = (value >>> shift) & 15;
      bytes[at++] = digit + (digit < 10 ? zero : letterA - 10);
    }
    this.length = at;
  }
}

function digitsOf(value: number): number {
  if (value < 1e4) return value < 100 ? (value < 10 ? 1 : 2) : value < 1e3 ? 3 : 4;
  if (value < 1e7) return value < 1e6 ? (value < 1e5 ? 5 : 6) : 7;
  return value < 1e8 ? 8 : value < 1e9 ? 9 : 10;
}
