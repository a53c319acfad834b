import { type ExitCode, exitCode, Failure } from '../../../base/failure.ts';
import { json, printable } from '../../../base/quoted.ts';
import { exportParquet } from '../../../export/parquet/export-parquet.ts';
import { exportPerfetto, type PerfettoReport } from '../../../export/perfetto/export-perfetto.ts';
import { exportCsvDirectory, exportCsvFile } from '../../../export/text/export-csv.ts';
import { exportNdjson } from '../../../export/text/export-ndjson.ts';
import type { Machine } from '../../../trace/session.ts';
import { humanBytes } from '../../report/human.ts';
import { type ExportCommand, isDirectory } from '../options/reading/export-options.ts';
import { filtersOf, openMachines } from './open-session.ts';
import { codeOfWriteError } from './write-error.ts';
import { watched } from './watched.ts';

/** The result of an export, for the user. */
export interface Report {
  readonly events: number;
  readonly bytes: number;
  readonly lost: bigint;
  /** Remarks about data missing from the output, printable. */
  readonly remarks: readonly string[];
}

const stdoutWord = '-';

/** Exports a trace and reports what was written. Throws Failure. */
export async function runExport(command: ExportCommand): Promise<ExitCode> {
  const { session: given, out } = command;
  const { session, machines } = await openMachines(given);
  try {
    const report = await exported(machines, command);
    // stdout contains the export itself
    if (out !== stdoutWord)
      process.stdout.write(command.json ? jsonOf(command, report) : textOf(out, report));
    for (const remark of report.remarks) process.stderr.write(`trace-host: ${printable(out)}: ${remark}\n`);
    return exitCode.done;
  } catch (error) {
    if (out !== stdoutWord) throw error;
    return codeOfWriteError(error);
  } finally {
    await session.close();
  }
}

async function exported(machines: readonly Machine[], command: ExportCommand): Promise<Report> {
  const { out, to, selection, gzip } = command;
  const target = out === stdoutWord ? process.stdout : out;
  if (out === stdoutWord && process.stdout.isTTY && (to !== 'ndjson' || gzip === true))
    throw new Failure(
      exitCode.usage,
      `${to} is not for a terminal: it contains whatever the guest wrote`,
      'write to a file, or to another program',
    );
  const what = `writing ${out === stdoutWord ? 'to stdout' : printable(out)}`;
  const filters = filtersOf(machines, selection);
  return watched(what, async (watching) => {
    const filter = (machine: Machine) => filters.get(machine.trace);
    const options = { ...watching, filter };
    const from = machines.length === 1 ? machines[0]!.trace : machines;
    const compressed = gzip === undefined ? {} : { gzip };
    switch (to) {
      case 'perfetto': {
        const genericEvents = command.genericEvents ? 'named' : 'descriptor';
        const form = { ...options, ...compressed, genericEvents } as const;
        return perfettoReport(machines, await exportPerfetto(from, target, form));
      }
      case 'ndjson':
        return { ...(await exportNdjson(from, target, { ...options, ...compressed })), remarks: [] };
      case 'csv': {
        const report = isDirectory(to, out)
          ? await exportCsvDirectory(from, out, options)
          : await exportCsvFile(from, target, { ...options, ...compressed });
        return { ...report, remarks: [] };
      }
      case 'parquet':
        return { ...(await exportParquet(from, out, options)), remarks: [] };
      default:
        return to satisfies never;
    }
  });
}

export function perfettoReport(machines: readonly Machine[], report: PerfettoReport): Report {
  const { events, bytes, lost, uncountedLosses, leftOut, droppedFields } = report;
  const remarks: string[] = [];
  if (uncountedLosses > 0) remarks.push(`${uncountedLosses} losses without an event count from the kernel`);
  if (leftOut > 0) remarks.push(`${leftOut} events skipped: Perfetto supports CPUs up to 1023`);
  if (droppedFields.length > 0)
    remarks.push(
      `fields skipped because Perfetto's format lacks them: ${printable(droppedFields.join(', '))}`,
    );
  const buffers = machines.flatMap(({ trace }) => trace.buffers);
  for (const { clock, timeUnit } of buffers)
    if (timeUnit === null && clock !== '')
      remarks.push(
        `clock ${printable(clock)} does not count nanoseconds: Perfetto shows its values as if it did`,
      );
  return { events, bytes, lost, remarks };
}

export function textOf(out: string, { events, bytes, lost }: Report): string {
  const lines = [`${printable(out)}: ${events} events, ${humanBytes(bytes)}`];
  if (lost > 0n) lines.push(`  ${lost} events were lost before they could be read`);
  return `${lines.join('\n')}\n`;
}

function jsonOf({ out, to }: ExportCommand, { events, bytes, lost, remarks }: Report): string {
  return `${json({ file: out, format: to, events, fileBytes: bytes, lostEvents: Number(lost), remarks })}\n`;
}
