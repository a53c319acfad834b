import type { TraceEvent } from '../trace/events/trace-event.ts';
import type { Trace } from '../trace/open.ts';
import type { ExportOptions } from './export-options.ts';

/** How many events an export read, and how many were lost. */
export interface EventCounts {
  readonly events: number;
  /** Events lost before they could be read, as far as the kernel counted them. */
  readonly lost: bigint;
}

/**
 * Calls `take` for each event that passes the filter. If `take` returns a promise, it is awaited before the next event.
 * @throws the signal's reason, Failure, and errors of `take`
 */
export async function forEachEvent(
  trace: Trace,
  { filter, signal, onProgress }: ExportOptions,
  take: (event: TraceEvent) => Promise<void> | undefined,
): Promise<EventCounts> {
  const { read } = trace;
  const { doneBytes: before } = read;
  let events = 0;
  let lost = 0n;
  for await (const batch of trace.events(filter)) {
    signal?.throwIfAborted();
    for (const event of batch) {
      events++;
      if (typeof event.lost === 'bigint') lost += event.lost;
      const waiting = take(event);
      if (waiting !== undefined) {
        await waiting;
        signal?.throwIfAborted();
      }
    }
    onProgress?.({ events, doneBytes: read.doneBytes - before, totalBytes: read.totalBytes });
  }
  return { events, lost };
}
