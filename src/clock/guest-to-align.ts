import { readPings } from '../trace/recording/clock-files.ts';
import type { Trace } from '../trace/open.ts';
import type { GuestToAlign } from './align-guests.ts';
import { tscClock } from './align-tsc.ts';
import { breaksOf } from './pauses.ts';

/**
 * What a guest's trace says about its clock: a recording has pings, pauses and how KVM computes its TSC; another trace
 * has pauses, and an earlier alignment with this host, if any. Throws Failure.
 * @param trace has the guest's own times
 */
export function guestToAlign(host: Trace, trace: Trace, vcpuTids: ReadonlyMap<number, number>): GuestToAlign {
  const { timeShift, recording, pauses } = trace.source;
  const shift = timeShift?.peerId === host.source.traceId ? timeShift : undefined;
  const earlier = shift === undefined ? {} : { shift };
  if (recording === undefined) return { trace, vcpuTids, pings: [], breaks: breaksOf(pauses), ...earlier };
  const pings = readPings(trace.path);
  const tsc = host.source.recording?.clock === tscClock ? recording.tsc : undefined;
  return { trace, vcpuTids, pings, breaks: breaksOf(pauses, pings), tsc, ...earlier };
}
