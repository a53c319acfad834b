const firstBytes = 1 << 10;
const none = new Uint8Array(0);

/**
 * Collects bytes for a write. `at` is the number of bytes so far. Hot loops call `reserve`, then set `bytes[at++]`
 * themselves.
 */
export class ByteBuffer {
  bytes: Uint8Array<ArrayBuffer> = none;
  at = 0;

  /** Makes room for `count` more bytes. May replace `bytes`. */
  reserve(count: number): void {
    const needed = this.at + count;
    if (needed <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2, firstBytes));
    grown.set(this.bytes.subarray(0, this.at));
    this.bytes = grown;
  }

  /** Appends bytes. */
  append(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.bytes.set(bytes, this.at);
    this.at += bytes.length;
  }

  /** The collected bytes; valid until the next write. */
  view(): Uint8Array<ArrayBuffer> {
    return this.bytes.subarray(0, this.at);
  }

  clear(): void {
    this.at = 0;
  }

  /** Empties the buffer and frees its memory. For use where only a few of many buffers are in use. */
  release(): void {
    this.at = 0;
    this.bytes = none;
  }
}
