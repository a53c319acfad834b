import type { CpuEvents } from './cpu-events.ts';
import { Merge } from './merge.ts';
import type { EventNames } from './trace-event.ts';
import { TraceEvent } from './trace-event.ts';

/** The events of one CPU and buffer, and what the buffer is called. */
export interface EventStream {
  readonly events: CpuEvents;
  readonly buffer: string;
}

/** Some events in the order of their times, to be iterated once, before the next batch is requested. Does not wait. */
export type EventBatch = Iterable<TraceEvent>;

/**
 * All events of the streams in the order of their times, a batch for each block of pages that was read. Events of a
 * batch that nobody iterates are skipped. Closes the streams at the end, also when the iteration is left early.
 */
export async function* eventBatches(
  streams: readonly EventStream[],
  names: EventNames,
): AsyncGenerator<EventBatch, void, undefined> {
  const merge = new Merge(streams.map(({ events }) => events));
  const bufferOf = new Map(streams.map(({ events, buffer }) => [events, buffer]));
  try {
    for (const { events } of streams) if (await step(events)) merge.add(events);
    while (merge.first !== undefined) {
      const batch = batchOf(merge, bufferOf, names);
      yield batch;
      // What the caller left.
      for (const _ of batch);
      const { first } = merge;
      if (first === undefined) return;
      if (await step(first)) merge.moved();
      else merge.remove();
    }
  } finally {
    for (const { events } of streams) await events.close();
  }
}

/** Steps to the next event, with what has to be read for it. */
async function step(events: CpuEvents): Promise<boolean> {
  while (!events.next()) if (!(await events.load())) return false;
  return true;
}

/** Events until one of the streams has to read its next block: that one is the first of `merge` then. */
function batchOf(
  merge: Merge<CpuEvents>,
  bufferOf: ReadonlyMap<CpuEvents, string>,
  names: EventNames,
): EventBatch {
  let isNew = true;
  let isUsedUp = false;
  const event = new TraceEvent(names, merge.first!);
  const next = (): IteratorResult<TraceEvent, undefined> => {
    if (isUsedUp) return { done: true, value: undefined };
    const before = merge.first!;
    if (!isNew) {
      if (!before.next()) {
        isUsedUp = true;
        return { done: true, value: undefined };
      }
      merge.moved();
    }
    isNew = false;
    const first = merge.first!;
    return { done: false, value: event.set(first, bufferOf.get(first)!) };
  };
  return { [Symbol.iterator]: () => ({ next }) };
}
