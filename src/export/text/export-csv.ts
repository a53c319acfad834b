import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { exitCode, Failure } from '../../base/failure.ts';
import { quoted } from '../../base/quoted.ts';
import type { Trace } from '../../trace/open.ts';
import { forEachEvent } from '../event-loop.ts';
import type { ExportOptions } from '../export-options.ts';
import { fileNameOf } from '../file-names.ts';
import { appendTo, writeDirectory } from '../output/write-directory.ts';
import { writeOutput } from '../output/write-output.ts';
import { cell, commonColumns, CsvTable, typeName } from './csv-table.ts';
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
  trace: Trace,
  to: string | Writable,
  options: NdjsonOptions = {},
): Promise<NdjsonReport> {
  const { result, bytes } = await writeOutput([trace.path], to, options.gzip, async (sink) => {
    let table: CsvTable | undefined;
    let of: { readonly id: number; readonly name: string } | undefined;
    const drain = async (): Promise<void> => {
      if (table === undefined) return;
      await sink.write(table.out.view());
      table.out.clear();
    };
    const counts = await forEachEvent(trace, options, (event) => {
      const { id } = event;
      of ??= { id, name: event.name };
      if (id !== of.id) throw severalTypes(of.name, event.name);
      table ??= new CsvTable(event.format, guestOf(trace));
      table.add(event);
      return table.out.length >= writeBytes ? drain() : undefined;
    });
    await drain();
    return counts;
  });
  return { ...result, bytes };
}

/** The guest's name; empty if unknown. */
function guestOf({ source }: Trace): string {
  return source.recording?.guest ?? '';
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
  trace: Trace,
  path: string,
  options: ExportOptions = {},
): Promise<NdjsonReport> {
  return writeDirectory(trace.path, path, async (dir) => {
    const tables: (CsvTable | undefined)[] = [];
    const { catalogue } = trace.source;
    const nameOf = (id: number): string => `${fileNameOf(id, catalogue.byId(id))}.csv`;
    let bytes = 0;
    let waiting = 0;
    const drain = async (): Promise<void> => {
      waiting = 0;
      for (const [id, table] of tables.entries()) {
        if (table === undefined || table.out.length === 0) continue;
        bytes += table.out.length;
        await appendTo(join(dir, nameOf(id)), table.out.view());
        table.out.release();
      }
    };
    const counts = await forEachEvent(trace, options, (event) => {
      const { id } = event;
      const table = (tables[id] ??= new CsvTable(event.format, guestOf(trace)));
      const before = table.out.length;
      table.add(event);
      waiting += table.out.length - before;
      return waiting >= tablesBytes ? drain() : undefined;
    });
    await drain();
    const lines = ['file,event,column,type'];
    for (const [id, table] of tables.entries()) {
      if (table === undefined) continue;
      const format = catalogue.byId(id);
      const columns = [
        ...commonColumns,
        ...(format?.fields ?? []).map((field) => [field.name, typeName(field)] as const),
      ];
      for (const [column, type] of columns)
        lines.push([nameOf(id), format?.fullName ?? `#${id}`, column, type].map(cell).join(','));
    }
    await appendTo(join(dir, 'columns.csv'), Buffer.from(`${lines.join('\n')}\n`));
    return { ...counts, bytes };
  });
}
