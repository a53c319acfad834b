import { alignGuests, type GuestToAlign } from './align-guests.ts';
import { tscClock } from './align-tsc.ts';
import { breaksOf } from './pauses.ts';
import { openTrace, type Trace } from '../trace/open.ts';
import { readPings, type RecordedAlignment } from '../trace/recording/clock-files.ts';
import { tracedGuests } from '../trace/recording/traced-guests.ts';

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
    const { traceId: peerId = 0n, recording } = host.source;
    const known = recording === undefined ? [] : tracedGuests(recording);
    const guests: GuestToAlign[] = [];
    for (const dir of guestDirs) {
      const trace = await open(dir);
      const vcpuTids = known.find(({ traceId }) => traceId === trace.source.traceId)?.vcpuTids ?? new Map();
      const pings = readPings(dir);
      const breaks = breaksOf(trace.source.recording?.pauses, pings);
      const tsc = recording?.clock === tscClock ? trace.source.recording?.tsc : undefined;
      guests.push({ trace, pings, breaks, vcpuTids, tsc });
    }
    const aligned = await alignGuests(host, guests);
    return aligned.map((alignment) => alignment && { peerId, ...alignment });
  } finally {
    for (const trace of opened) await trace.close();
  }
}
