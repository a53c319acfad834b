const firstBytes = 1 << 10;
/** Maximum number of bytes to copy in a loop; for more, calling `set` is faster. */
const longestLoop = 48;
const zero = 0x30;
const minus = 0x2d;
const letterA = 0x61;

/**
 * Collects bytes and text for a write; numbers are written without creating strings. `length` is the number of bytes so
 * far. Hot loops call `reserve`, then set `bytes[length++]` themselves.
 */
export class ByteBuffer {
  bytes: Uint8Array;
  length = 0;

  /** @param room initial capacity in bytes; grows as needed */
  constructor(room = 0) {
    this.bytes = new Uint8Array(room);
  }

  /** Makes room for `count` more bytes. May replace `bytes`. */
  reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2, firstBytes));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }

  byte(value: number): void {
    this.reserve(1);
    this.bytes[this.length++] = value;
  }

  /** Copies `source[start..end)`. */
  copy(source: Uint8Array, start = 0, end = source.length): void {
    this.reserve(end - start);
    const { bytes } = this;
    let at = this.length;
    if (end - start > longestLoop) bytes.set(source.subarray(start, end), at);
    else for (let from = start; from < end; from++) bytes[at++] = source[from]!;
    this.length += end - start;
  }

  /** Appends an integer from -2^53 to 2^53. */
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

  /** Appends an integer below 2^53, padded with leading zeros to `width` digits. */
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

  /** Appends one byte as two hexadecimal digits. */
  hexByte(value: number): void {
    this.reserve(2);
    const { bytes } = this;
    bytes[this.length++] = hexDigit(value >>> 4);
    bytes[this.length++] = hexDigit(value & 15);
  }

  /** The collected bytes; valid until the next write. */
  view(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  clear(): void {
    this.length = 0;
  }

  /** Empties the buffer and frees its memory. For an owner of many buffers that uses only a few at a time. */
  release(): void {
    this.length = 0;
    this.bytes = new Uint8Array(0);
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
}

export function hexDigit(value: number): number {
  return value < 10 ? zero + value : letterA - 10 + value;
}

function digitsOf(value: number): number {
  if (value < 1e4) return value < 100 ? (value < 10 ? 1 : 2) : value < 1e3 ? 3 : 4;
  if (value < 1e7) return value < 1e6 ? (value < 1e5 ? 5 : 6) : 7;
  return value < 1e8 ? 8 : value < 1e9 ? 9 : 10;
}
