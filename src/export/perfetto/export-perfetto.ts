import type { Writable } from 'node:stream';
import { addLoss, type Loss } from '../../trace/check/loss-mark.ts';
import type { Trace } from '../../trace/open.ts';
import { forEachEvent } from '../event-loop.ts';
import type { ExportOptions } from '../export-options.ts';
import { DoubleBuffer } from '../output/double-buffer.ts';
import { writeOutput } from '../output/write-output.ts';
import { Bundles } from './bundles.ts';
import type { GenericForm } from './event-type.ts';
import { firstPackets, statsPacket } from './packets.ts';

export interface PerfettoOptions extends ExportOptions {
  /** Compress the file; by default if the path ends in `.gz`. Perfetto opens both. */
  readonly gzip?: boolean;
  /**
   * How to write events for which Perfetto has no message: `descriptor` (default) for Perfetto 50 and later; `named` for
   * older versions, with a larger file.
   */
  readonly genericEvents?: GenericForm;
}

/** The result of an export. */
export interface PerfettoReport {
  readonly events: number;
  /** Size of the output. */
  readonly bytes: number;
  /** Events lost before they could be read, where the kernel counted them. */
  readonly lost: bigint;
  /** Places where the kernel did not count the lost events, or a page was unreadable. */
  readonly uncountedLosses: number;
  /** Events of CPUs above Perfetto's limit; not in the file. */
  readonly leftOut: number;
  /** Fields missing from Perfetto's messages, as `system:event.field`; not in the file. */
  readonly droppedFields: readonly string[];
}

/** The trace processor rejects bundles of CPUs from this number on. */
const maxPerfettoCpus = 1024;

/**
 * Writes a trace for the Perfetto UI and trace processor. Streams: uses bounded memory for any size. Times are those of the
 * trace clock. A file appears when it is complete; a stream is written to but not ended.
 * @param to path of the file, or a stream
 * @throws Failure for an unreadable trace, a filter that names something not in the trace, or an unwritable file
 */
export async function exportPerfetto(
  trace: Trace,
  to: string | Writable,
  options: PerfettoOptions = {},
): Promise<PerfettoReport> {
  const { gzip, genericEvents = 'descriptor' } = options;
  const { result, bytes } = await writeOutput(trace.path, to, gzip, async (sink) => {
    const out = new DoubleBuffer(sink);
    const bundles = new Bundles(genericEvents);
    const tally = new LossTally();
    for (const packet of firstPackets(trace)) out.buffer.copy(packet);
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
    out.buffer.copy(statsPacket(withinLimit(trace.source.cpuStats), tally.counts()));
    await out.end();
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
  });
  return { ...result, bytes };
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

  counts(): Map<number, { readonly overrun: bigint; readonly readEvents: bigint }> {
    const counts = new Map<number, { readonly overrun: bigint; readonly readEvents: bigint }>();
    for (const [cpu, events] of this.#events.entries()) {
      // oxlint-disable-next-line typescript/no-unnecessary-condition -- a sparse array
      if (events === undefined) continue;
      const overrun = this.#lost[cpu] ?? 0n;
      counts.set(cpu, { overrun: overrun === 'unknown' ? 0n : overrun, readEvents: BigInt(events) });
    }
    return counts;
  }
}
