import { ByteBuffer, hexDigit } from '../../base/byte-buffer.ts';

const space = 0x20;
const newline = 0x0a;
const twoTo32 = 2 ** 32;

/** Limit for the text of one event: a hostile format may ask for gigabytes. */
export const maxEventBytes = 1 << 20;
const tooLongMark = Buffer.from('[TOO LONG]');

/**
 * Lines of a report, appended in place, so that a line costs no allocation. The owner writes `view()` somewhere, then
 * clears the buffer.
 */
export class TextBuffer extends ByteBuffer {
  /** Where a NUL ended the line early; -1 for none. */
  cutAt = -1;

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
   * Whether the text that began at `start` reaches its limit; if so, it is cut there and marked. Call it after each
   * part of an event, and stop if it returns true.
   */
  isTooLong(start: number): boolean {
    const end = start + maxEventBytes;
    if (this.length <= end) return false;
    if (this.cutAt > end) this.cutAt = -1;
    this.length = end;
    this.copy(tooLongMark);
    return true;
  }

  spaces(count: number): void {
    if (count <= 0) return;
    this.reserve(count);
    this.bytes.fill(space, this.length, this.length + count);
    this.length += count;
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

  #hexDigits(value: number, digits: number): void {
    const { bytes } = this;
    let at = this.length;
    let shift = (digits - 1) << 2;
    for (; shift >= 0; shift -= 4) {
      bytes[at++] = hexDigit((value >>> shift) & 15);
    }
    this.length = at;
  }
}
