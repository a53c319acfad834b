import { join } from 'node:path';
import { exitCode, Failure } from '../../base/failure.ts';
import type { Machine } from '../../trace/session.ts';
import { forEachEvent } from '../event-loop.ts';
import { EventTables } from '../event-tables.ts';
import { type ExportSource, machinesOf, type MachinesOptions } from '../machines.ts';
import { writeDirectory } from '../output/write-directory.ts';
import { tasksOf } from '../tasks.ts';
import type { NdjsonReport } from '../text/export-ndjson.ts';
import { type Column, column } from './columns.ts';
import { ParquetFile, ParquetTable } from './parquet-table.ts';

/** When one event type's buffered rows reach this size, they are written as a row group. */
const groupBytes = 8 << 20;
/** Limit for the buffered rows of all event types together. */
const waitingMaxBytes = 24 << 20;
/** Limit for column chunks in all files: the metadata of each, about 1 kB, stays in memory until the end. */
const maxChunks = 100_000;

/** File with the machines' tasks; cannot be the name of an event type's file. */
export const tasksFile = 'tasks.parquet';

/** The file of an event type in an export's directory. @param file as `EventType` has it */
export function parquetFileOf(file: string): string {
  return `${file}.parquet`;
}

/**
 * Writes a directory with one Parquet file per event type and `tasks.parquet`. The rows of several machines are in the
 * order of time, and name their machine. Uses bounded memory for any size. Throws Failure if the directory is not empty
 * or the traces have too many event types, and otherwise as `exportPerfetto` does.
 */
export async function exportParquet(
  from: ExportSource,
  path: string,
  options: MachinesOptions = {},
): Promise<NdjsonReport> {
  const inputs = machinesOf(from).map(({ trace }) => trace.path);
  return writeDirectory(inputs, path, (dir) => fillParquet(from, dir, options));
}

/** Writes the files of `exportParquet` into a directory that exists. */
export async function fillParquet(
  from: ExportSource,
  dir: string,
  options: MachinesOptions,
): Promise<NdjsonReport> {
  // loaded on demand: no other command needs it
  const library = await import('hyparquet-writer');
  const machines = machinesOf(from);
  const eventTables = new EventTables(machines, (type, isNamed) => {
    const file = join(dir, parquetFileOf(type.file));
    return new ParquetTable(library, file, type, isNamed);
  });
  const { tables } = eventTables;
  let bytes = 0;
  let waiting = 0;
  const flush = async (table: ParquetTable): Promise<void> => {
    waiting -= table.waitingBytes;
    bytes += await table.flush();
    const chunks = tables.reduce((sum, { file }) => sum + file.chunks, 0);
    if (chunks > maxChunks) throw tooManyTypes(machines);
  };
  const spill = async (): Promise<void> => {
    for (const table of tables.toSorted((a, b) => b.waitingBytes - a.waitingBytes)) {
      if (waiting <= waitingMaxBytes / 2) return;
      await flush(table);
    }
  };
  const counts = await forEachEvent(machines, options, (event) => {
    const { table, parts } = eventTables.rowsOf(event);
    waiting += table.add(event, parts);
    if (table.waitingBytes >= groupBytes) return flush(table);
    return waiting >= waitingMaxBytes ? spill() : undefined;
  });
  for (const table of tables) {
    await flush(table);
    bytes += await table.file.finish();
  }
  const isNamed = machines.length > 1;
  const tasks = new ParquetFile(library, join(dir, tasksFile), taskColumns(isNamed));
  for (const { name, trace } of machines) {
    const rows = tasksOf(trace.source);
    if (rows.length === 0) continue;
    bytes += await tasks.writeGroup([
      ...(isNamed ? [rows.map(() => name)] : []),
      rows.map(({ tid }) => tid),
      rows.map(({ name }) => name),
      rows.map(({ tgid }) => tgid),
      rows.map(({ ppid }) => ppid),
    ]);
  }
  bytes += await tasks.finish();
  return { ...counts, bytes };
}

function taskColumns(isNamed: boolean): Column[] {
  const text = { type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'REQUIRED' } as const;
  return [
    ...(isNamed ? [column({ name: 'machine', ...text })] : []),
    column({ name: 'tid', type: 'INT32', repetition_type: 'REQUIRED' }),
    column({ name: 'name', ...text }),
    column({ name: 'tgid', type: 'INT32', repetition_type: 'OPTIONAL' }),
    column({ name: 'ppid', type: 'INT32', repetition_type: 'OPTIONAL' }),
  ];
}

function tooManyTypes(machines: readonly Machine[]): Failure {
  const paths = machines.map(({ trace }) => trace.path).join(', ');
  return new Failure(
    exitCode.failed,
    `${paths}: too many events of too many types for Parquet`,
    'select some with --event',
  );
}
