import type { RecordedRing } from '../recording-format.ts';

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
