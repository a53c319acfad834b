import type { CpuEvents, TimeOrigin } from './cpu-events.ts';
import { Merge } from './merge.ts';
import type { EventNames, EventOrder } from './trace-event.ts';
import { TraceEvent } from './trace-event.ts';

/** The events of one CPU of a buffer, and the buffer's name. */
export interface EventStream {
  readonly events: CpuEvents;
  readonly buffer: string;
}

/** Some events in time order. Iterate it once, before requesting the next batch. Iterating never waits. */
export type EventBatch = Iterable<TraceEvent>;

/**
 * All events of the streams in time order, one batch per block of pages read. Events of a batch that the caller does
 * not iterate are skipped. Closes the streams at the end, also if the caller stops early.
 */
export async function* eventBatches(
  streams: readonly EventStream[],
  names: EventNames,
  origin: TimeOrigin,
): AsyncGenerator<EventBatch, void, undefined> {
  const merge = new Merge(streams.map(({ events }) => events));
  const bufferOf = new Map(streams.map(({ events, buffer }) => [events, buffer]));
  const order: EventOrder = { keepsPlace: false, origin };
  try {
    for (const { events } of streams) if (await step(events)) merge.add(events);
    while (merge.first !== undefined) {
      const batch = batchOf(merge, bufferOf, names, order);
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
  bufferOf: ReadonlyMap<CpuEvents, string>,
  names: EventNames,
  order: EventOrder,
): EventBatch {
  let isNew = true;
  let isUsedUp = false;
  const event = new TraceEvent(names, order, merge.first!);
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
    return { done: false, value: event.set(first, bufferOf.get(first)!) };
  };
  return { [Symbol.iterator]: () => ({ next }) };
}
