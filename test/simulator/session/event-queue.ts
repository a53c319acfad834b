interface Entry {
  readonly time: number;
  /** Of two entries of one time, the earlier one runs first. */
  readonly order: number;
  readonly run: () => void;
}

/** What is going to happen, by the host's time in whole nanoseconds. A binary heap. */
export class EventQueue {
  now: number;
  #order = 0;
  readonly #heap: Entry[] = [];

  constructor(now: number) {
    this.now = now;
  }

  /** At a time, not before now. */
  at(time: number, run: () => void): void {
    const heap = this.#heap;
    const entry = { time: Math.max(this.now, time), order: this.#order++, run };
    let index = heap.length;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!isBefore(entry, heap[parent]!)) break;
      heap[index] = heap[parent]!;
      index = parent;
    }
    heap[index] = entry;
  }

  after(ns: number, run: () => void): void {
    this.at(this.now + ns, run);
  }

  /** Runs everything before `end`, which is then the time. */
  runUntil(end: number): void {
    for (let first = this.#heap[0]; first !== undefined && first.time < end; first = this.#heap[0]) {
      this.#dropFirst();
      this.now = first.time;
      first.run();
    }
    this.now = end;
  }

  #dropFirst(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    const { length } = heap;
    if (length === 0) return;
    let index = 0;
    for (let child = 1; child < length; child = 2 * index + 1) {
      if (child + 1 < length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, last)) break;
      heap[index] = heap[child]!;
      index = child;
    }
    heap[index] = last;
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.time < b.time || (a.time === b.time && a.order < b.order);
}
