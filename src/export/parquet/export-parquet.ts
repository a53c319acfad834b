import { join } from 'node:path';
import { exitCode, Failure } from '../../base/failure.ts';
import type { Trace } from '../../trace/open.ts';
import { forEachEvent } from '../event-loop.ts';
import type { ExportOptions } from '../export-options.ts';
import { fileNameOf } from '../file-names.ts';
import { writeDirectory } from '../output/write-directory.ts';
import { tasksOf } from '../tasks.ts';
import type { NdjsonReport } from '../text/export-ndjson.ts';
import { type Column } from './columns.ts';
import { ParquetFile, ParquetTable } from './parquet-table.ts';

/** When one event type's buffered rows reach this size, they are written as a row group. */
const groupBytes = 8 << 20;
/** Limit for the buffered rows of all event types together. */
const waitingMaxBytes = 24 << 20;
/** Limit for column chunks in all files: the metadata of each, about 1 kB, stays in memory until the end. */
const maxChunks = 100_000;

/** File with the guest's tasks; cannot be the name of an event type's file. */
export const tasksFile = 'tasks.parquet';

/** The file of an event type in an export's directory. */
export function parquetFileOf(trace: Trace, id: number): string {
  return `${fileNameOf(id, trace.source.catalogue.byId(id))}.parquet`;
}

/**
 * Writes a directory with one Parquet file per event type and `tasks.parquet`. Uses bounded memory for any size. Throws
 * Failure if the directory is not empty or a trace has too many event types, and otherwise as `exportPerfetto` does.
 */
export async function exportParquet(
  trace: Trace,
  path: string,
  options: ExportOptions = {},
): Promise<NdjsonReport> {
  return writeDirectory([trace.path], path, (dir) => fillParquet(trace, dir, options));
}

/** Writes the files of `exportParquet` into a directory that exists. */
export async function fillParquet(trace: Trace, dir: string, options: ExportOptions): Promise<NdjsonReport> {
  // loaded on demand: no other command needs it
  const library = await import('hyparquet-writer');
  const tables: (ParquetTable | undefined)[] = [];
  const { catalogue, recording } = trace.source;
  const guest = recording?.guest;
  let bytes = 0;
  let waiting = 0;
  const flush = async (table: ParquetTable): Promise<void> => {
    waiting -= table.waitingBytes;
    bytes += await table.flush();
    const chunks = tables.reduce((sum, one) => sum + (one?.file.chunks ?? 0), 0);
    if (chunks > maxChunks) throw tooManyTypes(trace);
  };
  const spill = async (): Promise<void> => {
    const largest = tables.filter((table) => table !== undefined);
    largest.sort((a, b) => b.waitingBytes - a.waitingBytes);
    for (const table of largest) {
      if (waiting <= waitingMaxBytes / 2) return;
      await flush(table);
    }
  };
  const counts = await forEachEvent(trace, options, (event) => {
    const { id } = event;
    const table = (tables[id] ??= new ParquetTable(
      library,
      join(dir, parquetFileOf(trace, id)),
      catalogue.byId(id),
      guest,
    ));
    waiting += table.add(event);
    if (table.waitingBytes >= groupBytes) return flush(table);
    return waiting >= waitingMaxBytes ? spill() : undefined;
  });
  for (const table of tables) {
    if (table === undefined) continue;
    await flush(table);
    bytes += await table.file.finish();
  }
  const tasks = new ParquetFile(library, join(dir, tasksFile), taskColumns);
  const rows = tasksOf(trace.source);
  if (rows.length > 0)
    bytes += await tasks.writeGroup([
      rows.map(({ tid }) => tid),
      rows.map(({ name }) => name),
      rows.map(({ tgid }) => tgid),
      rows.map(({ ppid }) => ppid),
    ]);
  bytes += await tasks.finish();
  return { ...counts, bytes };
}

const taskColumns: readonly Column[] = [
  { name: 'tid', schema: [{ name: 'tid', type: 'INT32', repetition_type: 'REQUIRED' }], field: undefined },
  {
    name: 'name',
    schema: [{ name: 'name', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'REQUIRED' }],
    field: undefined,
  },
  { name: 'tgid', schema: [{ name: 'tgid', type: 'INT32', repetition_type: 'OPTIONAL' }], field: undefined },
  { name: 'ppid', schema: [{ name: 'ppid', type: 'INT32', repetition_type: 'OPTIONAL' }], field: undefined },
];

function tooManyTypes({ path }: Trace): Failure {
  return new Failure(
    exitCode.failed,
    `${path}: too many events of too many types for Parquet`,
    'select some with --event',
  );
}
