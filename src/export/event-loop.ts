import type { TraceEvent } from '../trace/events/trace-event.ts';
import { eventsOf, type ExportSource, machinesOf, type MachinesOptions } from './machines.ts';

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
  from: ExportSource,
  options: MachinesOptions,
  take: (event: TraceEvent) => Promise<void> | undefined,
): Promise<EventCounts> {
  const { signal, onProgress } = options;
  const machines = machinesOf(from);
  const doneBytes = (): number => machines.reduce((sum, { trace }) => sum + trace.read.doneBytes, 0);
  const totals = machines.map(({ trace }) => trace.read.totalBytes);
  const totalBytes = totals.includes(0) ? 0 : totals.reduce((sum, bytes) => sum + bytes, 0);
  const before = doneBytes();
  let events = 0;
  let lost = 0n;
  for await (const batch of eventsOf(machines, options)) {
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
    onProgress?.({ events, doneBytes: doneBytes() - before, totalBytes });
  }
  return { events, lost };
}
