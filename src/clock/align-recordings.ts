import { alignGuests } from './align-guests.ts';
import { guestToAlign } from './guest-to-align.ts';
import { openTrace, type Trace } from '../trace/open.ts';
import type { RecordedAlignment } from '../trace/recording/clock-files.ts';

/**
 * Aligns the clocks of guests with that of the host they were recorded with.
 * @param hostDir directory of the host's recording
 * @param guestDirs directories of its guests' recordings
 * @returns the alignment of each guest; undefined for a guest without pings
 * @throws Failure
 */
export async function alignRecordings(
  hostDir: string,
  guestDirs: readonly string[],
): Promise<(RecordedAlignment | undefined)[]> {
  const opened: Trace[] = [];
  const open = async (dir: string): Promise<Trace> => {
    const trace = await openTrace(dir, { hostTimes: false });
    opened.push(trace);
    return trace;
  };
  try {
    const host = await open(hostDir);
    const { traceId: peerId = 0n, guests: known } = host.source;
    const guests = [];
    for (const dir of guestDirs) {
      const trace = await open(dir);
      const vcpuTids = known.find(({ traceId }) => traceId === trace.source.traceId)?.vcpuTids ?? new Map();
      guests.push(guestToAlign(host, trace, vcpuTids));
    }
    const aligned = await alignGuests(host, guests);
    return aligned.map((guest) => (typeof guest === 'string' ? undefined : { peerId, ...guest }));
  } finally {
    for (const trace of opened) await trace.close();
  }
}
