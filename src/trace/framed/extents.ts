/** A piece of a file. */
export interface Extent {
  readonly offset: number;
  readonly bytes: number;
}

/**
 * Where one CPU's pages are in a framed stream. Every frame says where in the row of that CPU's bytes it belongs, so that
 * a page which was cut in two by a worker's death is whole again.
 */
export class PageExtents {
  readonly #positions: number[] = [];
  readonly #offsets: number[] = [];
  readonly #lengths: number[] = [];

  #seamless = true;

  /** Whether each frame began where the one before it ended. */
  get seamless(): boolean {
    return this.#seamless;
  }

  /**
   * Adds a frame's bytes; it belongs behind those before it. What it and the last one both claim is its own, for that one
   * was cut off.
   * @returns false when it belongs before the last one, which no agent writes: then it is left out
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

  /** Where the last one ends in the row of this CPU's bytes. */
  get end(): number {
    return (this.#positions.at(-1) ?? 0) + (this.#lengths.at(-1) ?? 0);
  }

  /** The whole pages, in order: what is left of a page of which a part is missing is left out. */
  *wholePages(pageBytes: number): Generator<Extent> {
    for (let first = 0; first < this.#positions.length; ) {
      let next = first + 1;
      let rowEnd = this.#endOf(first);
      while (this.#positions[next] === rowEnd) rowEnd = this.#endOf(next++);
      const from = Math.ceil((this.#positions[first] ?? 0) / pageBytes) * pageBytes;
      const to = Math.floor(rowEnd / pageBytes) * pageBytes;
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
