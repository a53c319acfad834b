import type { TimelineIndex } from '../../analysis/timeline/timeline-index.ts';
import type { Explanation, Recording } from './types.ts';

/** Whether a recording is of the host only. Its file does not say so: its machine has the name of the file. */
export function isOnlyHost(recording: Recording | undefined): boolean {
  return recording?.machines.length === 1 && recording.machines[0]?.host === true;
}

export function rowsOfHost(index: TimelineIndex): TimelineIndex {
  return { ...index, rows: index.rows.map((row) => ({ ...row, machine: 'host', host: true })) };
}

export function waitsOfHost(explanation: Explanation): Explanation {
  return { ...explanation, waits: explanation.waits.map((wait) => ({ ...wait, machine: 'host' })) };
}
