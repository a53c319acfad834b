import type { AlignedPiece, ClockPing, ClockSample } from '../trace/recording/clock-files.ts';
import type { Trace } from '../trace/open.ts';
import type { RecordedTsc } from '../trace/recording/recording-format.ts';
import { Alignment } from './align.ts';
import { alignTsc, tscClock } from './align-tsc.ts';
import { Exclusion } from './exclusion/pairs.ts';
import { type HostTimes, readHostTimes, takeDeadlines, takeGuestEvents } from './exclusion/trace-events.ts';
import type { ClockMap } from './map/clock-map.ts';
import { fewerSamples } from './map/fewer-samples.ts';
import type { Break } from './map/observations.ts';

/** A guest to align with its host. `trace` has the guest's own times. */
export interface GuestToAlign {
  readonly trace: Trace;
  readonly pings: readonly ClockPing[];
  /** When it was paused, if that is known. */
  readonly breaks?: readonly Break[];
  /** With clock x86-tsc on both sides, if KVM runs it. */
  readonly tsc?: RecordedTsc | undefined;
  /** Host thread id of each vCPU, by vCPU. */
  readonly vcpuTids: ReadonlyMap<number, number>;
}

export interface AlignedGuest {
  readonly pieces: readonly AlignedPiece[];
  readonly samples: readonly ClockSample[];
}

/** A thread id that no thread has. */
const noTid = -1;

/**
 * Finds how to convert guests' times to those of their host: from pings; from guest events, none of which can have
 * happened while the host's events show that the vCPU did not run; and from timers that the guest set, as both sides
 * recorded it. Reads the events of the host once, and of each guest once or twice. Throws Failure for an unreadable trace.
 * @returns one result per guest; undefined for a guest without a ping
 */
export async function alignGuests(
  host: Trace,
  guests: readonly GuestToAlign[],
): Promise<(AlignedGuest | undefined)[]> {
  const first: number[] = [];
  const tids: number[] = [];
  for (const { vcpuTids } of guests) {
    first.push(tids.length);
    const count = Math.max(0, ...[...vcpuTids.keys()].map((vcpu) => vcpu + 1));
    for (let vcpu = 0; vcpu < count; vcpu++) tids.push(vcpuTids.get(vcpu) ?? noTid);
  }
  const isTold = ['sched:sched_switch', 'kvm:kvm_exit', 'kvm:kvm_msr'].some(
    (name) => host.format(name) !== undefined,
  );
  const times =
    isTold && tids.length > 0 ? await readHostTimes(host.events(), host.formats(), tids) : undefined;
  const aligned: (AlignedGuest | undefined)[] = [];
  for (const [index, guest] of guests.entries()) {
    const [from, to] = [first[index], first[index + 1]];
    const own = times && {
      origin: times.origin,
      vcpus: times.vcpus.slice(from, to),
      deadlines: times.deadlines.slice(from, to),
    };
    aligned.push(await alignOne(guest, own));
  }
  return aligned;
}

async function alignOne(
  { trace, pings, breaks = [], tsc }: GuestToAlign,
  times: HostTimes | undefined,
): Promise<AlignedGuest | undefined> {
  const span = trace.span();
  // the rest counts nanoseconds
  if (trace.buffers[0]?.clock === tscClock) return tsc && span && alignTsc(tsc, span, pings);
  const isPaired =
    times?.deadlines.some(({ size }) => size > 0) === true && trace.format('msr:write_msr') !== undefined;
  const pairs = isPaired ? await takeDeadlines(trace.events(), trace.formats(), times) : [];
  const alignment = Alignment.of({ pings, breaks, pairs });
  if (alignment === undefined) return undefined;
  if (times === undefined || span === undefined) return alignedGuest(alignment.map);
  const origins = { guestOrigin: span.first, hostOrigin: times.origin };
  const exclusion = new Exclusion(alignment.map, times.vcpus, origins);
  await takeGuestEvents(trace.events(), exclusion);
  return alignedGuest(alignment.refined(exclusion));
}

function alignedGuest(map: ClockMap): AlignedGuest {
  return { pieces: map.pieces, samples: fewerSamples(map.samples()) };
}
