const pageBytes = 4096;
const headBytes = 16;
/** RINGBUF_TYPE_DATA_TYPE_LEN_MAX words. */
const longestShort = 28 * 4;
/** RB_MISSED_EVENTS and RB_MISSED_STORED of ring_buffer.c: the count follows the data. */
const missed = (1n << 31n) | (1n << 30n);

/** Writes events into the ring-buffer pages of a CPU, in the order of their times, which are below 2^53. */
export class PageWriter {
  /** The page that is written. */
  view = new DataView(new ArrayBuffer(0));
  #page = new Uint8Array(0);
  readonly #pages: Uint8Array[] = [];
  #at = pageBytes;
  #last = 0;
  #lost = 0;

  /**
   * Makes room for an event's data, which is zero.
   * @param lost events lost before it: it begins a page
   * @returns the offset of the data in `view`
   */
  reserve(ns: number, bytes: number, lost?: number): number {
    // a long record has its length in a word of its own
    const isLong = bytes > longestShort;
    const recordHeadBytes = isLong ? 8 : 4;
    // room for the count of lost events
    if (
      this.#at + recordHeadBytes + bytes + 8 > pageBytes ||
      lost !== undefined ||
      ns - this.#last >= 1 << 27
    )
      this.#begin(ns, lost ?? 0);
    const at = this.#at;
    this.view.setUint32(at, (isLong ? 0 : bytes / 4) | ((ns - this.#last) << 5), true);
    if (isLong) this.view.setUint32(at + 4, bytes + 4, true);
    this.#last = ns;
    this.#at = at + recordHeadBytes + bytes;
    return at + recordHeadBytes;
  }

  /** Copies bytes into the page. */
  put(at: number, bytes: Uint8Array): void {
    this.#page.set(bytes, at);
  }

  /** All pages. Nothing may be written afterwards. */
  end(): Uint8Array {
    this.#close();
    return Buffer.concat(this.#pages);
  }

  #begin(ns: number, lost: number): void {
    this.#close();
    this.#page = new Uint8Array(pageBytes);
    this.#pages.push(this.#page);
    this.view = new DataView(this.#page.buffer);
    this.view.setBigUint64(0, BigInt(ns), true);
    this.#at = headBytes;
    this.#last = ns;
    this.#lost = lost;
  }

  #close(): void {
    if (this.#pages.length === 0) return;
    const lost = this.#lost;
    this.view.setBigUint64(8, BigInt(this.#at - headBytes) | (lost > 0 ? missed : 0n), true);
    if (lost > 0) this.view.setBigUint64(this.#at, BigInt(lost), true);
  }
}
