/** Counts the positions of pages in a CPU's data; a page has the same position wherever reading begins. */
export class PagePlace {
  readonly #isChunked: boolean;
  readonly #pageBytes: number;
  #step = 0;
  #blockBytes = 0;
  #blocks = 0;

  constructor(isChunked: boolean, pageBytes: number) {
    this.#isChunked = isChunked;
    this.#pageBytes = pageBytes;
  }

  /** Call before the first block, which begins at this step. */
  begin(step: number): void {
    this.#step = step;
    this.#blockBytes = 0;
    this.#blocks = 0;
  }

  nextBlock(bytes: number): void {
    if (!this.#isChunked) this.#step += this.#blockBytes / this.#pageBytes;
    else if (this.#blocks > 0) this.#step++;
    this.#blocks++;
    this.#blockBytes = bytes;
  }

  /** @param offset in the block */
  at(offset: number): string {
    const pages = offset / this.#pageBytes;
    return this.#isChunked ? `${this.#step} ${pages}` : String(this.#step + pages);
  }
}
