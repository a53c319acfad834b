/**
 * Splits a byte stream that arrives in chunks of any size into whole pages. A page inside a chunk is a view of it; a
 * page that spans chunks is copied once. Buffers at most one page.
 */
export class PageSplitter {
  readonly #pageBytes: number;
  #partial: Uint8Array | undefined;
  #filledBytes = 0;

  constructor(pageBytes: number) {
    this.#pageBytes = pageBytes;
  }

  /** Bytes of the incomplete page; if not 0 at the end of the stream, the last page is truncated. */
  get pendingBytes(): number {
    return this.#filledBytes;
  }

  /** Takes the next chunk of the stream; returns the pages that it completes, in order. */
  push(chunk: Uint8Array): Uint8Array[] {
    const pages: Uint8Array[] = [];
    let at = 0;
    if (this.#partial) {
      at = Math.min(this.#pageBytes - this.#filledBytes, chunk.length);
      this.#partial.set(chunk.subarray(0, at), this.#filledBytes);
      this.#filledBytes += at;
      if (this.#filledBytes < this.#pageBytes) return pages;
      pages.push(this.#partial);
      this.#partial = undefined;
      this.#filledBytes = 0;
    }
    for (; at + this.#pageBytes <= chunk.length; at += this.#pageBytes) {
      pages.push(chunk.subarray(at, at + this.#pageBytes));
    }
    if (at < chunk.length) {
      this.#partial = new Uint8Array(this.#pageBytes);
      this.#partial.set(chunk.subarray(at));
      this.#filledBytes = chunk.length - at;
    }
    return pages;
  }
}

/** The whole pages of one CPU's bytes, given in one or more chunks; skips a truncated last page. */
export function* pagesOf(
  bytes: Uint8Array | Iterable<Uint8Array>,
  pageBytes: number,
): Generator<Uint8Array, void, undefined> {
  const splitter = new PageSplitter(pageBytes);
  for (const chunk of bytes instanceof Uint8Array ? [bytes] : bytes) yield* splitter.push(chunk);
}
