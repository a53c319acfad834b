/** A piece of a file. */
export interface Extent {
  readonly offset: number;
  readonly bytes: number;
}

/**
 * The location of one CPU's pages in a framed stream. Each frame gives the position of its bytes in that CPU's byte
 * sequence, so a page that a worker's death split over two frames can be reassembled.
 */
export class PageExtents {
  readonly #positions: number[] = [];
  readonly #offsets: number[] = [];
  readonly #lengths: number[] = [];

  #seamless = true;

  /** Whether each frame began where the previous one ended. */
  get seamless(): boolean {
    return this.#seamless;
  }

  /**
   * Adds a frame's bytes after the earlier ones. Where the two overlap, the new frame wins, because the previous frame
   * was cut off.
   * @returns false, and ignores the frame, if its position is before that of the last frame; no agent writes such a
   * frame
   */
  add(position: number, offset: number, bytes: number): boolean {
    const last = this.#positions.length - 1;
    const lastPosition = this.#positions[last] ?? 0;
    if (position !== this.end) this.#seamless = false;
    if (position < lastPosition) return false;
    if (bytes === 0) return true;
    if (last >= 0 && position === lastPosition) {
      this.#offsets[last] = offset;
      this.#lengths[last] = bytes;
      return true;
    }
    if (last >= 0) this.#lengths[last] = Math.min(this.#lengths[last] ?? 0, position - lastPosition);
    this.#positions.push(position);
    this.#offsets.push(offset);
    this.#lengths.push(bytes);
    return true;
  }

  /** End position of the last frame in this CPU's byte sequence. */
  get end(): number {
    return (this.#positions.at(-1) ?? 0) + (this.#lengths.at(-1) ?? 0);
  }

  /** Extents of the whole pages, in order. Skips pages of which a part is missing. */
  *wholePages(pageBytes: number): Generator<Extent> {
    for (let first = 0; first < this.#positions.length; ) {
      let next = first + 1;
      let runEnd = this.#endOf(first);
      while (this.#positions[next] === runEnd) runEnd = this.#endOf(next++);
      const from = Math.ceil((this.#positions[first] ?? 0) / pageBytes) * pageBytes;
      const to = Math.floor(runEnd / pageBytes) * pageBytes;
      for (; first < next; first += 1) {
        const position = this.#positions[first] ?? 0;
        const start = Math.max(position, from);
        const end = Math.min(this.#endOf(first), to);
        if (start < end) yield { offset: (this.#offsets[first] ?? 0) + start - position, bytes: end - start };
      }
    }
  }

  #endOf(index: number): number {
    return (this.#positions[index] ?? 0) + (this.#lengths[index] ?? 0);
  }
}
