/**
 * Cuts whole pages out of a byte stream that arrives in pieces of any size. A page inside a piece is a view of it;
 * one that straddles pieces is copied once. Never holds more than one page.
 */
export class PageSplitter {
  readonly #pageBytes: number;
  #partial: Uint8Array | undefined;
  #filledBytes = 0;

  constructor(pageBytes: number) {
    this.#pageBytes = pageBytes;
  }

  /** Bytes of the page that has begun; at the end of a stream anything but 0 is a truncated page. */
  get pendingBytes(): number {
    return this.#filledBytes;
  }

  /** Takes the next piece of the stream and returns the pages that it completes, in order. */
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

/** The whole pages of one CPU's bytes, in one piece or in several; a truncated last page is left out. */
export function* pagesOf(
  bytes: Uint8Array | Iterable<Uint8Array>,
  pageBytes: number,
): Generator<Uint8Array, void, undefined> {
  const splitter = new PageSplitter(pageBytes);
  for (const chunk of bytes instanceof Uint8Array ? [bytes] : bytes) yield* splitter.push(chunk);
}
