import { setTimeout as sleep } from 'node:timers/promises';
import type { CpuEvents, TimeOrigin } from './cpu-events.ts';
import type { EventBatch, EventStream } from './event-batches.ts';
import { Merge } from './merge.ts';
import { type EventOrder, TraceEvent } from './trace-event.ts';

/** A CPU whose pages are still being recorded. */
export interface LiveStream extends EventStream {
  /** The next whole pages; empty if there are none yet. */
  readonly read: () => Uint8Array;
}

export interface LiveSettings {
  /**
   * How long to wait for a CPU that has sent nothing. Meanwhile, the events of the other CPUs are held back: this CPU's
   * next events may be earlier than theirs, because a CPU sends a page only when the page is full.
   */
  readonly holdMs: number;
  /** Interval at which to look for new pages. */
  readonly pollMs: number;
  /** Whether the recording has ended: nothing is added after that. */
  readonly isEnded: () => Promise<boolean>;
  /** Ends the iteration early. */
  readonly signal?: AbortSignal;
}

interface Place extends LiveStream {
  /** When its last pages were read, and the time of its last event. */
  arrivedMs: number;
  lastTime: bigint;
}

/**
 * Events as they are recorded, in time order as far as the times are known: an event of a CPU that sends its pages late
 * may come after later events of other CPUs. Ends when the recording has ended.
 */
export async function* liveBatches(
  streams: readonly LiveStream[],
  origin: TimeOrigin,
  settings: LiveSettings,
): AsyncGenerator<EventBatch, void, undefined> {
  const places = new Map<CpuEvents, Place>(
    streams.map((stream) => [stream.events, { ...stream, arrivedMs: performance.now(), lastTime: 0n }]),
  );
  const merge = new Merge([...places.keys()]);
  const live = new LiveMerge(merge, places, origin, settings.holdMs);
  for (;;) {
    const isEnded = settings.signal?.aborted === true || (await settings.isEnded());
    const arrived = live.takeNewPages();
    if (isEnded && !arrived) live.release();
    const batch = live.batch();
    if (live.isReady) {
      yield batch;
      // skip what the caller did not iterate
      for (const _ of batch);
    }
    if (isEnded && !arrived && merge.first === undefined) return;
    if (!arrived && !live.isReady) await sleep(settings.pollMs);
  }
}

/** Merges CPUs, some of which may have no event yet. */
class LiveMerge {
  readonly #merge: Merge<CpuEvents>;
  readonly #places: ReadonlyMap<CpuEvents, Place>;
  readonly #order: EventOrder;
  readonly #holdMs: number;
  readonly #waiting: Set<Place>;
  #isReleased = false;

  constructor(
    merge: Merge<CpuEvents>,
    places: ReadonlyMap<CpuEvents, Place>,
    origin: TimeOrigin,
    holdMs: number,
  ) {
    this.#merge = merge;
    this.#places = places;
    this.#order = { keepsPlace: false, origin };
    this.#holdMs = holdMs;
    this.#waiting = new Set(places.values());
  }

  /** Whether the first event can be yielded now: no CPU is expected to have an earlier one. */
  get isReady(): boolean {
    const { first } = this.#merge;
    if (first === undefined) return false;
    if (this.#isReleased || this.#waiting.size === 0) return true;
    const { timestamp } = first;
    const since = performance.now() - this.#holdMs;
    for (const { arrivedMs, lastTime } of this.#waiting)
      if (arrivedMs > since && timestamp > lastTime) return false;
    return true;
  }

  /** From now on, holds nothing back. */
  release(): void {
    this.#isReleased = true;
  }

  /** @returns whether there were any new pages */
  takeNewPages(): boolean {
    let any = false;
    for (const place of this.#waiting) {
      const pages = place.read();
      if (pages.length === 0) continue;
      any = true;
      place.arrivedMs = performance.now();
      place.events.feed(pages);
      if (!place.events.next()) continue;
      this.#waiting.delete(place);
      this.#merge.add(place.events);
    }
    return any;
  }

  /** The events that can be yielded now. */
  batch(): EventBatch {
    let event: TraceEvent | undefined;
    const next = (): IteratorResult<TraceEvent, undefined> => {
      if (event !== undefined) this.#step();
      const { first } = this.#merge;
      if (first === undefined || !this.isReady) {
        // a further call must not step again
        event = undefined;
        return { done: true, value: undefined };
      }
      const place = this.#places.get(first)!;
      event ??= new TraceEvent(this.#order, first, place);
      return { done: false, value: event.set(first, place) };
    };
    return { [Symbol.iterator]: () => ({ next }) };
  }

  #step(): void {
    const first = this.#merge.first!;
    const place = this.#places.get(first)!;
    place.lastTime = first.timestamp;
    if (first.next()) {
      if (!this.#order.keepsPlace) this.#merge.moved();
      this.#order.keepsPlace = false;
      return;
    }
    this.#merge.remove();
    this.#waiting.add(place);
  }
}
