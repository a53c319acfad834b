const firstRoom = 256;
/** Most stretches that are kept for each CPU. */
const mostStretches = 1 << 15;

/** The causes of one guest CPU, one after the other. Keeps the newest ones. Times are numbers and do not decrease. */
export class Timeline {
  #from = new Float64Array(firstRoom);
  #code = new Int32Array(firstRoom);
  #entity = new Int32Array(firstRoom);
  /** Number of all stretches so far; the stretch `n` is at index `n & (room - 1)`. */
  #count = 0;
  #first = 0;
  readonly #most: number;
  /** Gets each cause when it is no longer kept, and so does not change any more; equal ones that touch are one. */
  onFinal: ((code: number, entity: number, from: number, to: number) => void) | undefined;
  /** The last cause that is no longer kept, and since when it holds; code -1 for none. */
  #finalCode = -1;
  #finalEntity = 0;
  #finalFrom = 0;

  /** @param most a power of two */
  constructor(most = mostStretches) {
    this.#most = Math.max(most, firstRoom);
  }

  /** From `time` on this is the cause. */
  push(time: number, code: number, entity: number): void {
    const mask = this.#from.length - 1;
    if (this.#count > this.#first && this.#from[(this.#count - 1) & mask] === time) this.#count--;
    else if (this.#count - this.#first === this.#from.length) this.#makeRoom();
    const at = this.#count++ & (this.#from.length - 1);
    this.#from[at] = time;
    this.#code[at] = code;
    this.#entity[at] = entity;
  }

  /**
   * Calls `take` for each cause from `from` to `to`. Time before the oldest one that is kept gets code -1.
   * @returns the number of calls
   */
  slice(
    from: number,
    to: number,
    take: (code: number, entity: number, ns: number, since: number) => void,
  ): number {
    const mask = this.#from.length - 1;
    let at = this.#indexAt(from);
    let start = from;
    let calls = 0;
    if (at < this.#first) {
      at = this.#first;
      start = at < this.#count ? Math.min(to, this.#from[at & mask]!) : to;
      if (start > from) {
        take(-1, 0, start - from, from);
        calls++;
      }
    }
    for (; at < this.#count && start < to; at++) {
      const end = at + 1 < this.#count ? Math.min(to, this.#from[(at + 1) & mask]!) : to;
      if (end > start) {
        take(this.#code[at & mask]!, this.#entity[at & mask]!, end - start, start);
        calls++;
      }
      start = Math.max(start, end);
    }
    return calls;
  }

  /** Gives the causes from `since` on another code, where `isWrong` says so. */
  replace(since: number, isWrong: (code: number) => boolean, code: number, entity: number): void {
    const mask = this.#from.length - 1;
    for (let at = this.#count - 1; at >= this.#first && this.#from[at & mask]! >= since; at--) {
      if (!isWrong(this.#code[at & mask]!)) continue;
      this.#code[at & mask] = code;
      this.#entity[at & mask] = entity;
    }
  }

  /** Keeps nothing any more; the last cause ends at `end`. */
  finish(end: number): void {
    while (this.#first < this.#count) this.#drop();
    this.#giveOut(end);
  }

  #drop(): void {
    const at = this.#first++ & (this.#from.length - 1);
    if (this.onFinal === undefined) return;
    const code = this.#code[at]!;
    const entity = this.#entity[at]!;
    if (this.#finalCode === code && this.#finalEntity === entity) return;
    const from = this.#from[at]!;
    this.#giveOut(from);
    this.#finalCode = code;
    this.#finalEntity = entity;
    this.#finalFrom = from;
  }

  #giveOut(to: number): void {
    const code = this.#finalCode;
    if (code < 0) return;
    this.#finalCode = -1;
    if (to > this.#finalFrom) this.onFinal?.(code, this.#finalEntity, this.#finalFrom, to);
  }

  /** The last stretch that begins at `time` or before; `#first - 1` if there is none. */
  #indexAt(time: number): number {
    const mask = this.#from.length - 1;
    let low = this.#first - 1;
    let high = this.#count - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.#from[middle & mask]! <= time) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #makeRoom(): void {
    const room = this.#from.length;
    if (room >= this.#most) {
      this.#drop();
      return;
    }
    const [from, code, entity] = [
      new Float64Array(room * 2),
      new Int32Array(room * 2),
      new Int32Array(room * 2),
    ];
    for (let at = this.#first; at < this.#count; at++) {
      const [old, now] = [at & (room - 1), at & (room * 2 - 1)];
      from[now] = this.#from[old]!;
      code[now] = this.#code[old]!;
      entity[now] = this.#entity[old]!;
    }
    [this.#from, this.#code, this.#entity] = [from, code, entity];
  }
}
