import type { TraceEvent } from '../trace/events/trace-event.ts';
import type { Trace } from '../trace/open.ts';
import type { ExportOptions } from './export-options.ts';

/**
 * Calls `take` for each event that passes the filter. If `take` returns a promise, it is awaited before the next event.
 * @returns the number of events. @throws the signal's reason, Failure, and errors of `take`
 */
export async function forEachEvent(
  trace: Trace,
  { filter, signal, onProgress }: ExportOptions,
  take: (event: TraceEvent) => Promise<void> | undefined,
): Promise<number> {
  const { read } = trace;
  const { doneBytes: before } = read;
  let events = 0;
  for await (const batch of trace.events(filter)) {
    signal?.throwIfAborted();
    for (const event of batch) {
      events++;
      const waiting = take(event);
      if (waiting !== undefined) {
        await waiting;
        signal?.throwIfAborted();
      }
    }
    onProgress?.({ events, doneBytes: read.doneBytes - before, totalBytes: read.totalBytes });
  }
  return events;
}
