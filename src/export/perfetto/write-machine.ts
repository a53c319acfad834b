import { addLoss, type Loss } from '../../trace/check/loss-mark.ts';
import type { Trace } from '../../trace/open.ts';
import { forEachEvent } from '../event-loop.ts';
import type { ExportOptions } from '../export-options.ts';
import type { DoubleBuffer } from '../output/double-buffer.ts';
import { Bundles } from './bundles.ts';
import type { GenericForm } from './event-type.ts';
import { firstPackets, type RingCounts, statsPacket } from './packets.ts';

/** The trace processor rejects bundles of CPUs from this number on. */
const maxPerfettoCpus = 1024;

/** What was written for one machine. */
export interface MachineReport {
  readonly events: number;
  /** Events lost before they could be read, as far as the kernel counted them. */
  readonly lost: bigint;
  /** Places where the kernel did not count the lost events, or a page was unreadable. */
  readonly uncountedLosses: number;
  /** Events of CPUs above Perfetto's limit; not in the file. */
  readonly leftOut: number;
  /** Fields missing from Perfetto's messages, as `system:event.field`; not in the file. */
  readonly droppedFields: readonly string[];
}

export interface MachineOptions extends ExportOptions {
  readonly genericEvents?: GenericForm;
}

/**
 * Writes all packets of one machine.
 * @param machineId 0 for the first machine of a file
 * @param firstDescriptor as for `eventTypeOf`
 */
export async function writeMachine(
  trace: Trace,
  machineId: number,
  firstDescriptor: number,
  options: MachineOptions,
  out: DoubleBuffer,
): Promise<MachineReport> {
  const bundles = new Bundles(options.genericEvents ?? 'descriptor', machineId, firstDescriptor);
  const tally = new LossTally();
  const span = machineId === 0 ? undefined : trace.span();
  for (const packet of firstPackets(trace, machineId, span)) out.buffer.copy(packet);
  let leftOut = 0;
  const { events } = await forEachEvent(trace, options, (event) => {
    if (event.cpu >= maxPerfettoCpus) {
      leftOut++;
      return undefined;
    }
    tally.count(event.cpu, event.lost);
    bundles.add(event, out.buffer);
    if (!bundles.isFull) return undefined;
    bundles.writeTo(out.buffer);
    return out.isFull ? out.flush() : undefined;
  });
  bundles.writeTo(out.buffer);
  out.buffer.copy(statsPacket(withinLimit(trace.source.cpuStats), tally.counts(), machineId));
  const { lost, uncounted } = tally;
  return {
    events: events - leftOut,
    lost,
    uncountedLosses: uncounted,
    leftOut,
    droppedFields: bundles
      .types()
      .flatMap(({ id, dropped }) =>
        dropped.map((field) => `${trace.source.catalogue.byId(id)?.fullName ?? `#${id}`}.${field}`),
      ),
  };
}

function withinLimit(cpuStats: ReadonlyMap<number, string>): Map<number, string> {
  return new Map([...cpuStats].filter(([cpu]) => cpu < maxPerfettoCpus));
}

/** Events and losses of each CPU. */
class LossTally {
  lost = 0n;
  uncounted = 0;
  readonly #events: number[] = [];
  readonly #lost: (Loss | undefined)[] = [];

  count(cpu: number, lost: Loss | undefined): void {
    this.#events[cpu] = (this.#events[cpu] ?? 0) + 1;
    if (lost === undefined) return;
    if (lost === 'unknown') this.uncounted++;
    else {
      this.lost += lost;
      this.#lost[cpu] = addLoss(this.#lost[cpu] ?? 0n, lost);
    }
  }

  counts(): Map<number, RingCounts> {
    const counts = new Map<number, RingCounts>();
    for (const [cpu, events] of this.#events.entries()) {
      // oxlint-disable-next-line typescript/no-unnecessary-condition -- a sparse array
      if (events === undefined) continue;
      const overrun = this.#lost[cpu] ?? 0n;
      counts.set(cpu, { overrun: overrun === 'unknown' ? 0n : overrun, readEvents: BigInt(events) });
    }
    return counts;
  }
}
