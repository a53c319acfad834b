import { shapeOf } from '../../analysis/event-shapes.ts';
import { maxDistance } from '../../trace/events/cpu-events.ts';
import type { EventBatch } from '../../trace/events/event-batches.ts';
import type { EventFormat } from '../../trace/format/event-format.ts';
import type { OrderedPair } from '../map/observations.ts';
import { DeadlinePairs, Deadlines } from '../order/deadlines.ts';
import { MsrWrites } from '../order/msr-writes.ts';
import { OffStretches, ThreadTimes } from './off-stretches.ts';
import type { Exclusion } from './pairs.ts';

/** When the threads of vCPUs were off their CPUs. */
export interface HostTimes {
  /** Origin of the times in `vcpus`. */
  readonly origin: bigint;
  readonly vcpus: readonly OffStretches[];
  /** Deadlines that the vCPUs wrote, by vCPU. */
  readonly deadlines: readonly Deadlines[];
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
  const deadlines = tids.map(() => new Deadlines());
  const vcpuOf = new Map(tids.map((tid, vcpu) => [tid, vcpu]));
  const format = formats.find(({ fullName }) => fullName === 'sched:sched_switch');
  const shape = format && shapeOf(format);
  const idOf = (name: string): number | undefined => formats.find(({ fullName }) => fullName === name)?.id;
  const [exitId, entryId] = [idOf('kvm:kvm_exit'), idOf('kvm:kvm_entry')];
  const msrWrites = MsrWrites.ofHost(formats);
  let origin: bigint | undefined;
  for await (const batch of batches) {
    for (const event of batch) {
      origin ??= event.timeOrigin;
      const { time } = event;
      if (!isExact(time)) continue;
      const { pid, id } = event;
      times.event(event.cpu, time, pid, event.lost !== undefined);
      if (id === exitId) times.left(time, pid);
      else if (id === entryId) times.enters(time, pid);
      else if (id === msrWrites?.id) {
        const vcpu = vcpuOf.get(pid);
        const deadline = vcpu === undefined ? undefined : msrWrites.deadlineOf(event.record);
        if (deadline !== undefined) deadlines[vcpu!]!.add(deadline, time);
      }
      if (shape?.kind !== 'switch' || id !== format?.id) continue;
      const { view, dataOffset, dataBytes } = event.record;
      if (dataBytes < shape.needBytes) continue;
      const prev = view.getInt32(dataOffset + shape.prevPid, true);
      times.switched(time, prev, view.getInt32(dataOffset + shape.nextPid, true));
    }
  }
  return { origin: origin ?? 0n, vcpus, deadlines };
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

/**
 * Systems of events that a kernel surely does not record between a write to an MSR and its write_msr, where interrupts
 * are disabled. Those of functions and probes may be.
 */
const ordinary = /^(?:sched|timer|irq|power):/;

/** Pairs the deadlines that the host saw with the guest's events around them: its CPU n is vCPU n. */
export async function takeDeadlines(
  batches: AsyncIterable<EventBatch>,
  formats: readonly EventFormat[],
  { deadlines, origin: hostOrigin }: HostTimes,
): Promise<OrderedPair[]> {
  const found = new DeadlinePairs(deadlines);
  const writes = MsrWrites.ofGuest(formats);
  const ordinaryIds = new Set(formats.flatMap(({ fullName, id }) => (ordinary.test(fullName) ? id : [])));
  let guestOrigin: bigint | undefined;
  for await (const batch of batches) {
    for (const event of batch) {
      guestOrigin ??= event.timeOrigin;
      const { time, id, cpu } = event;
      if (!isExact(time)) continue;
      if (ordinaryIds.has(id)) found.event(cpu, time);
      const deadline = id === writes?.id ? writes.deadlineOf(event.record) : undefined;
      if (deadline !== undefined) found.wrote(cpu, time, deadline);
    }
  }
  return found.pairs({ hostOrigin, guestOrigin: guestOrigin ?? 0n });
}

function isExact(time: number): boolean {
  return Math.abs(time) < maxDistance;
}
