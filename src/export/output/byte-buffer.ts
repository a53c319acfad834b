const firstBytes = 1 << 10;
const none = new Uint8Array(0);

/**
 * Bytes that are collected for a write. `at` is the number of bytes so far; writers call `reserve`, then set
 * `bytes[at++]` themselves, because hot loops must not allocate.
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

  /** What was collected; valid until the next write. */
  view(): Uint8Array<ArrayBuffer> {
    return this.bytes.subarray(0, this.at);
  }

  clear(): void {
    this.at = 0;
  }

  /** Empties it and gives its memory back, where there are many buffers of which few are in use. */
  release(): void {
    this.at = 0;
    this.bytes = none;
  }
}
