import type { ClockPiece } from '../trace/dat/clock-quality.ts';
import type { TimeShift } from '../trace/dat/time-shift.ts';
import type { EventBatch } from '../trace/events/event-batches.ts';
import type { ClockPing, ClockSample } from '../trace/recording/clock-files.ts';
import type { EventFilter, TimeSpan, Trace } from '../trace/open.ts';
import type { RecordedTsc } from '../trace/recording/recording-format.ts';
import { Alignment } from './align.ts';
import { alignTsc, tscClock } from './align-tsc.ts';
import { EarlierShift, mostErrorNs } from './earlier-shift.ts';
import { Exclusion } from './exclusion/pairs.ts';
import { type HostTimes, readHostTimes, takeDeadlines, takeGuestEvents } from './exclusion/trace-events.ts';
import type { ClockMap } from './map/clock-map.ts';
import { fewerSamples } from './map/fewer-samples.ts';
import type { Break, OrderedPair, PingSample } from './map/observations.ts';

/** A guest to align with its host. `trace` has the guest's own times. */
export interface GuestToAlign {
  readonly trace: Trace;
  readonly pings: readonly ClockPing[];
  /** An earlier alignment, which is used if there is no ping. */
  readonly shift?: TimeShift;
  /** When it was paused, if that is known. */
  readonly breaks?: readonly Break[];
  /** With clock x86-tsc on both sides, if KVM runs it. */
  readonly tsc?: RecordedTsc | undefined;
  /** Host thread id of each vCPU, by vCPU. */
  readonly vcpuTids: ReadonlyMap<number, number>;
}

export interface AlignedGuest {
  readonly pieces: readonly ClockPiece[];
  readonly samples: readonly ClockSample[];
}

/**
 * Why a guest is not aligned: nothing says roughly how its clock differs; or an earlier alignment does, and the host's
 * trace has no switches of the guest's vCPUs, or they do not confirm it.
 */
export type NotAligned = 'no-guess' | 'no-switches' | 'not-confirmed';

/** A thread id that no thread has. */
const noTid = -1;

/** Passes the batches of a trace on. */
export type Watch = (trace: Trace, batches: AsyncIterable<EventBatch>) => AsyncIterable<EventBatch>;

/**
 * Finds how to convert guests' times to those of their host: from pings or an earlier alignment; from the guests' events,
 * none of which can have happened while the host's events show that the vCPU did not run; and from timers that a guest
 * set, as both sides recorded it. Reads the events of the host once, and those of each guest once or twice; again if an
 * earlier alignment was worse than assumed. Throws Failure for an unreadable trace.
 */
export async function alignGuests(
  host: Trace,
  guests: readonly GuestToAlign[],
  watch: Watch = (_, batches) => batches,
): Promise<(AlignedGuest | NotAligned)[]> {
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
    isTold && tids.length > 0
      ? await readHostTimes(watch(host, host.events(ofOneClock(host))), host.formats(), tids)
      : undefined;
  const aligned: (AlignedGuest | NotAligned)[] = [];
  for (const [index, guest] of guests.entries()) {
    const [from, to] = [first[index], first[index + 1]];
    const seen = times && {
      origin: times.origin,
      vcpus: times.vcpus.slice(from, to),
      deadlines: times.deadlines.slice(from, to),
    };
    aligned.push(await new GuestAlignment(guest, seen, watch).run());
  }
  return aligned;
}

/** The buffers with the clock of the first one that has pages: times of several clocks cannot be compared. */
function ofOneClock({ buffers }: Trace): EventFilter {
  const used = buffers.filter(({ cpus }) => cpus.length > 0);
  return { buffers: used.filter(({ clock }) => clock === used[0]?.clock).map(({ name }) => name) };
}

/** A map, and what it was made with. */
interface Aligned {
  readonly alignment: Alignment;
  readonly map: ClockMap;
  readonly isConfirmed: boolean;
}

class GuestAlignment {
  readonly #guest: GuestToAlign;
  readonly #times: HostTimes | undefined;
  readonly #watch: Watch;

  constructor(guest: GuestToAlign, times: HostTimes | undefined, watch: Watch) {
    this.#guest = guest;
    this.#times = times;
    this.#watch = watch;
  }

  async run(): Promise<AlignedGuest | NotAligned> {
    const { trace, pings, shift, tsc } = this.#guest;
    // the rest counts nanoseconds
    if (trace.buffers[0]?.clock === tscClock) {
      const span = trace.span();
      return (tsc && span && alignTsc(tsc, span, pings)) ?? 'no-guess';
    }
    if (pings.length === 0 && shift !== undefined) return this.#again(shift);
    const aligned = await this.#by(pings, await this.#pairs());
    return aligned === undefined ? 'no-guess' : alignedGuest(await this.#improved(aligned));
  }

  async #again(shift: TimeShift): Promise<AlignedGuest | NotAligned> {
    const { trace } = this.#guest;
    const span = trace.span(ofOneClock(trace));
    const earlier = span && EarlierShift.of(shift, span);
    if (earlier === undefined) return 'no-guess';
    if (!this.#times?.vcpus.some(({ length }) => length > 0)) return 'no-switches';
    // the widest first: a range inside narrow bounds may be a false one if the true difference is outside
    const widest = await this.#by(earlier.pings(mostErrorNs));
    if (widest?.isConfirmed !== true) return 'not-confirmed';
    for (const errorNs of earlier.narrower(earlier.distance(widest.map.samples()))) {
      const aligned = await this.#by(earlier.pings(errorNs));
      if (aligned?.isConfirmed === true) return alignedGuest(aligned.map);
    }
    return alignedGuest(widest.map);
  }

  /** Events in order, from timers that the guest set. */
  async #pairs(): Promise<readonly OrderedPair[]> {
    const { trace } = this.#guest;
    const times = this.#times;
    if (times === undefined || trace.format('msr:write_msr') === undefined) return [];
    if (!times.deadlines.some(({ size }) => size > 0)) return [];
    return takeDeadlines(this.#watch(trace, trace.events(ofOneClock(trace))), trace.formats(), times);
  }

  async #by(pings: readonly PingSample[], pairs: readonly OrderedPair[] = []): Promise<Aligned | undefined> {
    const { trace, breaks = [] } = this.#guest;
    const span = trace.span(ofOneClock(trace));
    const alignment = Alignment.of({ pings, breaks, pairs, ...(span && { span }) });
    if (alignment === undefined) return undefined;
    if (this.#times === undefined || span === undefined)
      return { alignment, map: alignment.map, isConfirmed: false };
    const exclusion = await this.#exclusion(alignment.map, this.#times, span);
    const map = alignment.refined(exclusion);
    return { alignment, map, isConfirmed: alignment.isConfirmedBy(exclusion, map) };
  }

  /** The map, improved once more if the first one was far from it. */
  async #improved({ alignment, map }: Aligned): Promise<ClockMap> {
    const { trace } = this.#guest;
    const span = trace.span(ofOneClock(trace));
    if (this.#times === undefined || span === undefined || !alignment.canImprove(map)) return map;
    return alignment.refined(await this.#exclusion(map, this.#times, span));
  }

  /** An exclusion with all events of the guest. */
  async #exclusion(map: ClockMap, times: HostTimes, { first }: TimeSpan): Promise<Exclusion> {
    const { trace } = this.#guest;
    const exclusion = new Exclusion(map, times.vcpus, { guestOrigin: first, hostOrigin: times.origin });
    await takeGuestEvents(this.#watch(trace, trace.events(ofOneClock(trace))), exclusion);
    return exclusion;
  }
}

function alignedGuest(map: ClockMap): AlignedGuest {
  return { pieces: map.pieces, samples: fewerSamples(map.samples()) };
}
