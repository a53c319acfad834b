import type { Writable } from 'node:stream';
import type { Trace } from '../../trace/open.ts';
import type { Machine } from '../../trace/session.ts';
import type { ExportOptions } from '../export-options.ts';
import { type ExportSource, filterOf, machinesOf, type MachinesOptions } from '../machines.ts';
import { DoubleBuffer } from '../output/double-buffer.ts';
import { writeOutput } from '../output/write-output.ts';
import { descriptorNumbers, type GenericForm } from './event-type.ts';
import { type MachineReport, writeMachine } from './write-machine.ts';

export interface PerfettoOptions extends MachinesOptions {
  /** Compress the file; by default if the path ends in `.gz`. Perfetto opens both. */
  readonly gzip?: boolean;
  /**
   * How to write events for which Perfetto has no message: `descriptor` (default) for Perfetto 50 and later; `named`
   * for older versions, with a larger file.
   */
  readonly genericEvents?: GenericForm;
}

/** The result of an export. */
export interface PerfettoReport extends MachineReport {
  /** Size of the output. */
  readonly bytes: number;
}

/**
 * Writes a trace for the Perfetto UI and trace processor, or the traces of a host and its guests as several machines of
 * one file. Memory is bounded, whatever the size of the trace. Times are those of the trace clock. A file appears when
 * it is complete; a stream is written to but not ended.
 * @param to path of the file, or a stream
 * @throws Failure for an unreadable trace, a filter that names something not in the trace, or an unwritable file
 */
export async function exportPerfetto(
  from: ExportSource,
  to: string | Writable,
  options: PerfettoOptions = {},
): Promise<PerfettoReport> {
  const machines = machinesOf(from);
  const inputs = machines.map(({ trace }) => trace.path);
  const { result, bytes } = await writeOutput(inputs, to, options.gzip, async (sink) => {
    const out = new DoubleBuffer(sink);
    const report = await writeMachines(machines, options, out);
    await out.end();
    return report;
  });
  return { ...result, bytes };
}

/** Writes the packets of several machines, the first one as the host. */
export async function writeMachines(
  machines: readonly Machine[],
  options: PerfettoOptions,
  out: DoubleBuffer,
): Promise<MachineReport> {
  const parts: MachineReport[] = [];
  const progress = options.onProgress && summed(options.onProgress, machines);
  let firstDescriptor: number = descriptorNumbers.first;
  for (const [machineId, machine] of machines.entries()) {
    const onProgress = progress?.(machineId);
    const filter = filterOf(machine, options);
    if (filter === undefined) continue;
    const own = { ...options, filter, ...(onProgress && { onProgress }) };
    parts.push(await writeMachine(machine.trace, machineId, firstDescriptor, own, out));
    firstDescriptor += highestId(machine.trace) + 1;
  }
  return {
    events: sum(parts, ({ events }) => events),
    lost: parts.reduce((all, { lost }) => all + lost, 0n),
    uncountedLosses: sum(parts, ({ uncountedLosses }) => uncountedLosses),
    leftOut: sum(parts, ({ leftOut }) => leftOut),
    droppedFields: [...new Set(parts.flatMap(({ droppedFields }) => droppedFields))],
  };
}

function highestId({ source }: Trace): number {
  let highest = 0;
  for (const { id } of source.catalogue.formats()) highest = Math.max(highest, id);
  return highest;
}

function sum<Item>(items: readonly Item[], of: (item: Item) => number): number {
  return items.reduce((all, item) => all + of(item), 0);
}

/** The progress of all machines together, one after the other. */
function summed(
  onProgress: NonNullable<ExportOptions['onProgress']>,
  machines: readonly Machine[],
): (machineId: number) => NonNullable<ExportOptions['onProgress']> {
  const totals = machines.map(({ trace }) => trace.read.totalBytes);
  const totalBytes = totals.includes(0) ? 0 : sum(totals, (bytes) => bytes);
  const done = machines.map(() => ({ events: 0, doneBytes: 0 }));
  return (machineId) =>
    ({ events, doneBytes }) => {
      done[machineId] = { events, doneBytes };
      onProgress({
        events: sum(done, (each) => each.events),
        doneBytes: sum(done, (each) => each.doneBytes),
        totalBytes,
      });
    };
}
