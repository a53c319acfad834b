import type { RingStats } from '../../protocol/control.ts';
import type { RecordedRing } from './recording-format.ts';

/**
 * The text of `per_cpu/cpuN/stats` that a recording's own counts make, for `trace-cmd report --stat`. Without the lines
 * about times, of which the guest tells nothing.
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

/** What a ring has counted since `before`; undefined: it began with nothing counted. */
export function ringSince(now: RingStats, before: RingStats | undefined): RingStats {
  if (before === undefined) return now;
  const since = (count: (ring: RingStats) => number): number => Math.max(0, count(now) - count(before));
  return {
    // what is there is there, and is not counted up
    entries: now.entries,
    bytes: now.bytes,
    overrun: since(({ overrun }) => overrun),
    commitOverrun: since(({ commitOverrun }) => commitOverrun),
    droppedEvents: since(({ droppedEvents }) => droppedEvents),
    readEvents: since(({ readEvents }) => readEvents),
  };
}
