import { shapeOf } from '../../analysis/event-shapes.ts';
import { maxDistance } from '../../trace/events/cpu-events.ts';
import type { EventBatch } from '../../trace/events/event-batches.ts';
import type { EventFormat } from '../../trace/format/event-format.ts';
import { OffStretches, ThreadTimes } from './off-stretches.ts';
import type { Exclusion } from './pairs.ts';

/** When the threads of vCPUs were off their CPUs. */
export interface HostTimes {
  /** Origin of the times in `vcpus`. */
  readonly origin: bigint;
  readonly vcpus: readonly OffStretches[];
}

/**
 * Reads the events of all of a host's CPUs, in time order, and finds when the threads of vCPUs were off. Events other
 * than sched_switch show which threads run, and so where a switch was not recorded.
 *
 * @param tids host thread id of each vCPU
 */
export async function readHostTimes(
  batches: AsyncIterable<EventBatch>,
  formats: readonly EventFormat[],
  tids: readonly number[],
): Promise<HostTimes> {
  const vcpus = tids.map(() => new OffStretches());
  const times = new ThreadTimes(new Map(tids.map((tid, vcpu) => [tid, vcpus[vcpu]!])));
  const format = formats.find(({ fullName }) => fullName === 'sched:sched_switch');
  const shape = format && shapeOf(format);
  let origin: bigint | undefined;
  for await (const batch of batches) {
    for (const event of batch) {
      origin ??= event.timeOrigin;
      const { time } = event;
      if (!isExact(time)) continue;
      times.event(event.cpu, time, event.pid, event.lost !== undefined);
      if (shape?.kind !== 'switch' || event.id !== format?.id) continue;
      const { view, dataOffset, dataBytes } = event.record;
      if (dataBytes < shape.needBytes) continue;
      const prev = view.getInt32(dataOffset + shape.prevPid, true);
      times.switched(time, prev, view.getInt32(dataOffset + shape.nextPid, true));
    }
  }
  return { origin: origin ?? 0n, vcpus };
}

/** Puts all events of a guest into an exclusion: its CPU n is vCPU n. */
export async function takeGuestEvents(
  batches: AsyncIterable<EventBatch>,
  exclusion: Exclusion,
): Promise<void> {
  let shift: number | undefined;
  for await (const batch of batches) {
    for (const event of batch) {
      shift ??= Number(event.timeOrigin - exclusion.guestOrigin);
      const { time } = event;
      if (isExact(time) && isExact(shift)) exclusion.add(event.cpu, time + shift);
    }
  }
}

function isExact(time: number): boolean {
  return Math.abs(time) < maxDistance;
}
