import type { RingStats } from '../../protocol/control.ts';
import type { RecordedRing } from './recording-format.ts';

/**
 * The text of `per_cpu/cpuN/stats` for a recording's counts, for `trace-cmd report --stat`. Without the lines about
 * times, which the guest does not report.
 */
export function statsText({
  entries,
  overrun,
  commitOverrun,
  droppedEvents,
  readEvents,
}: RecordedRing): string {
  return [
    `entries: ${entries}`,
    `overrun: ${overrun}`,
    `commit overrun: ${commitOverrun}`,
    `dropped events: ${droppedEvents}`,
    `read events: ${readEvents}`,
    '',
  ].join('\n');
}

/** A ring's counts since `before`; `before` is undefined if the counts started from zero. */
export function ringSince(now: RingStats, before: RingStats | undefined): RingStats {
  if (before === undefined) return now;
  const since = (count: (ring: RingStats) => number): number => Math.max(0, count(now) - count(before));
  return {
    // current values, not running counters
    entries: now.entries,
    bytes: now.bytes,
    overrun: since(({ overrun }) => overrun),
    commitOverrun: since(({ commitOverrun }) => commitOverrun),
    droppedEvents: since(({ droppedEvents }) => droppedEvents),
    readEvents: since(({ readEvents }) => readEvents),
  };
}
