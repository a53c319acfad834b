const firstBytes = 4 << 10;

/**
 * Bytes that are collected for a write. `at` is the number of bytes so far; writers call `reserve`, then set
 * `bytes[at++]` themselves, because hot loops must not allocate.
 */
export class ByteBuffer {
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array(firstBytes);
  at = 0;

  /** Makes room for `count` more bytes. May replace `bytes`. */
  reserve(count: number): void {
    const needed = this.at + count;
    if (needed <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2));
    grown.set(this.bytes.subarray(0, this.at));
    this.bytes = grown;
  }

  /** Appends bytes. */
  append(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.bytes.set(bytes, this.at);
    this.at += bytes.length;
  }

  /** What was collected; valid until the next write. */
  view(): Uint8Array<ArrayBuffer> {
    return this.bytes.subarray(0, this.at);
  }

  clear(): void {
    this.at = 0;
  }
}
