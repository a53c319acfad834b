import type { CpuEvents, TimeOrigin } from './cpu-events.ts';
import { Merge } from './merge.ts';
import type { EventOrder, EventPlace } from './trace-event.ts';
import { TraceEvent } from './trace-event.ts';

/** The events of one CPU, and what they have in common. */
export interface EventStream extends EventPlace {
  readonly events: CpuEvents;
}

/** Some events in time order. Iterate it once, before requesting the next batch. Iterating never waits. */
export type EventBatch = Iterable<TraceEvent>;

/**
 * All events of the streams in time order, one batch per block of pages read. Events of a batch that the caller does
 * not iterate are skipped. Closes the streams at the end, also if the caller stops early.
 */
export async function* eventBatches(
  streams: readonly EventStream[],
  origin: TimeOrigin,
): AsyncGenerator<EventBatch, void, undefined> {
  const merge = new Merge(streams.map(({ events }) => events));
  const placeOf = new Map<CpuEvents, EventPlace>(streams.map((stream) => [stream.events, stream]));
  const order: EventOrder = { keepsPlace: false, origin };
  try {
    for (const { events } of streams) if (await step(events)) merge.add(events);
    while (merge.first !== undefined) {
      const batch = batchOf(merge, placeOf, order);
      yield batch;
      // skip what the caller did not iterate
      for (const _ of batch);
      const { first } = merge;
      if (first === undefined) return;
      if (await step(first)) moved(merge, order);
      else {
        if (order.keepsPlace) first.doubt();
        merge.remove();
      }
    }
  } finally {
    for (const { events } of streams) await events.close();
  }
}

function moved(merge: Merge<CpuEvents>, order: EventOrder): void {
  if (!order.keepsPlace) merge.moved();
  order.keepsPlace = false;
}

/** Steps to the next event, loading blocks as needed. */
async function step(events: CpuEvents): Promise<boolean> {
  while (!events.next()) if (!(await events.load())) return false;
  return true;
}

/** Events until a stream must load its next block; that stream is then `merge.first`. */
function batchOf(
  merge: Merge<CpuEvents>,
  placeOf: ReadonlyMap<CpuEvents, EventPlace>,
  order: EventOrder,
): EventBatch {
  let isNew = true;
  let isUsedUp = false;
  const event = new TraceEvent(order, merge.first!, placeOf.get(merge.first!)!);
  const next = (): IteratorResult<TraceEvent, undefined> => {
    if (isUsedUp) return { done: true, value: undefined };
    const before = merge.first!;
    if (!isNew) {
      if (!before.next()) {
        isUsedUp = true;
        return { done: true, value: undefined };
      }
      moved(merge, order);
    }
    isNew = false;
    const first = merge.first!;
    return { done: false, value: event.set(first, placeOf.get(first)!) };
  };
  return { [Symbol.iterator]: () => ({ next }) };
}
