import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { exitCode, Failure } from '../../base/failure.ts';
import { quoted } from '../../base/quoted.ts';
import { forEachEvent } from '../event-loop.ts';
import { type ExportSource, machinesOf, type MachinesOptions } from '../machines.ts';
import { appendTo, writeDirectory } from '../output/write-directory.ts';
import { writeOutput } from '../output/write-output.ts';
import { cell, type CsvTable, csvTables } from './csv-table.ts';
import type { NdjsonOptions, NdjsonReport } from './export-ndjson.ts';

/** Bytes per write of a single file. */
const writeBytes = 1 << 20;
/** When all buffered tables of a directory together reach this size, they are written. */
const tablesBytes = 16 << 20;

/**
 * Writes the events of one type as CSV. Memory is bounded, whatever the size of the trace. Throws Failure if there are
 * events of several types, and otherwise as `exportPerfetto` does.
 */
export async function exportCsvFile(
  from: ExportSource,
  to: string | Writable,
  options: NdjsonOptions = {},
): Promise<NdjsonReport> {
  const machines = machinesOf(from);
  const inputs = machines.map(({ trace }) => trace.path);
  const { result, bytes } = await writeOutput(inputs, to, options.gzip, async (sink) => {
    const tables = csvTables(machines);
    let table: CsvTable | undefined;
    const drain = async (): Promise<void> => {
      if (table === undefined) return;
      await sink.write(table.out.view());
      table.out.clear();
    };
    const counts = await forEachEvent(machines, options, (event) => {
      const { table: added, parts } = tables.rowsOf(event);
      table ??= added;
      if (added !== table) throw severalTypes(table.event, added.event);
      table.add(event, parts);
      return table.out.length >= writeBytes ? drain() : undefined;
    });
    await drain();
    return counts;
  });
  return { ...result, bytes };
}

function severalTypes(one: string, other: string): Failure {
  return new Failure(
    exitCode.usage,
    `a CSV file has one event type, but the trace has ${quoted(one)} and ${quoted(other)}`,
    'select one with --event SYSTEM:EVENT, or specify a directory with -o',
  );
}

/**
 * Writes a directory with one CSV file per event type, and `columns.csv`, which has the type of each column. Uses
 * bounded memory for any size and any number of types. Throws as `exportPerfetto` does, and Failure if the directory is
 * not empty.
 */
export async function exportCsvDirectory(
  from: ExportSource,
  path: string,
  options: MachinesOptions = {},
): Promise<NdjsonReport> {
  const machines = machinesOf(from);
  const inputs = machines.map(({ trace }) => trace.path);
  return writeDirectory(inputs, path, async (dir) => {
    const tables = csvTables(machines);
    let bytes = 0;
    let waiting = 0;
    const drain = async (): Promise<void> => {
      waiting = 0;
      for (const { file, out } of tables.tables) {
        if (out.length === 0) continue;
        bytes += out.length;
        await appendTo(join(dir, `${file}.csv`), out.view());
        out.release();
      }
    };
    const counts = await forEachEvent(machines, options, (event) => {
      const { table, parts } = tables.rowsOf(event);
      const before = table.out.length;
      table.add(event, parts);
      waiting += table.out.length - before;
      return waiting >= tablesBytes ? drain() : undefined;
    });
    await drain();
    const lines = ['file,event,column,type'];
    for (const { file, event, columns } of tables.tables)
      for (const { name, type } of columns)
        lines.push([`${file}.csv`, event, name, type].map(cell).join(','));
    await appendTo(join(dir, 'columns.csv'), Buffer.from(`${lines.join('\n')}\n`));
    return { ...counts, bytes };
  });
}
