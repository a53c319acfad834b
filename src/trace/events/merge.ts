import { type CpuEvents, maxDistance } from './cpu-events.ts';

/**
 * Merges the events of several CPUs in time order; equal times keep the order of `streams`. A binary heap of streams,
 * each standing on its next event.
 */
export class Merge<Stream extends CpuEvents> {
  readonly #order: ReadonlyMap<Stream, number>;
  readonly #heap: Stream[] = [];

  constructor(streams: readonly Stream[]) {
    this.#order = new Map(streams.map((stream, index) => [stream, index]));
  }

  /** The stream with the next event; undefined if there is none. */
  get first(): Stream | undefined {
    return this.#heap[0];
  }

  /** Adds a stream that is positioned at an event. */
  add(stream: Stream): void {
    const heap = this.#heap;
    let at = heap.push(stream) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#before(stream, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = stream;
  }

  /** Call after the first stream has stepped to its next event. */
  moved(): void {
    const [stream] = this.#heap;
    if (stream !== undefined) this.#sink(stream);
  }

  /** Removes the first stream. */
  remove(): void {
    const last = this.#heap.pop();
    if (last !== undefined && this.#heap.length > 0) this.#sink(last);
  }

  #sink(stream: Stream): void {
    const heap = this.#heap;
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && this.#before(heap[child + 1]!, heap[child]!)) child++;
      if (!this.#before(heap[child]!, stream)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = stream;
  }

  #before(a: Stream, b: Stream): boolean {
    const isExact = Math.abs(a.time) < maxDistance && Math.abs(b.time) < maxDistance;
    if (!isExact && a.timestamp !== b.timestamp) return a.timestamp < b.timestamp;
    if (isExact && a.time !== b.time) return a.time < b.time;
    return this.#order.get(a)! < this.#order.get(b)!;
  }
}
