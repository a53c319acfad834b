import { join } from 'node:path';
import { onEndSignals } from '../../../base/end-signals.ts';
import { type ExitCode, exitCode, Failure } from '../../../base/failure.ts';
import { printable } from '../../../base/quoted.ts';
import { streamSink } from '../../../export/output/byte-sink.ts';
import { fillParquet } from '../../../export/parquet/export-parquet.ts';
import { type DuckDb, loadDuckDb } from '../../../export/query/load-duckdb.ts';
import { cachedTables, queryCacheDir } from '../../../export/query/query-cache.ts';
import { literal } from '../../../export/query/sql-text.ts';
import { queriedTables } from '../../../export/query/queried-tables.ts';
import { viewStatements } from '../../../export/query/views.ts';
import { exitNow } from '../../../native/process/process.ts';
import type { EventFilter } from '../../../trace/open.ts';
import type { Machine } from '../../../trace/session.ts';
import type { QueryCommand } from '../options/reading/query-options.ts';
import type { Selection } from '../options/reading/selection.ts';
import { filtersOf, openMachines } from './open-session.ts';
import { resultWriter } from './result-writer.ts';
import { codeOfWriteError } from './write-error.ts';
import { watched } from './watched.ts';

/** Runs an SQL query over the events of traces and prints the result. Throws Failure. */
export async function runQuery({ session: given, sql, form, selection }: QueryCommand): Promise<ExitCode> {
  if (form === 'csv' && process.stdout.isTTY)
    throw new Failure(
      exitCode.usage,
      '--csv is not for a terminal: it contains whatever the guest wrote',
      'write to a file, or to another program',
    );
  const duck = await loadDuckDb();
  const { session, machines } = await openMachines(given);
  let views: string[];
  try {
    const dir = await tablesOf(machines, selection);
    views = viewStatements(await queriedTables(machines, dir));
  } finally {
    await session.close();
  }
  try {
    await answer(duck, views, sql, form);
    return exitCode.done;
  } catch (error) {
    return codeOfWriteError(error);
  }
}

function tablesOf(machines: readonly Machine[], selection: Selection): Promise<string> {
  const filters = filtersOf(machines, selection);
  const filter = ({ trace }: Machine) => filters.get(trace);
  const paths = machines.map(({ trace }) => trace.path);
  return cachedTables(paths, choiceText(machines.map(filter)), async (dir) => {
    await watched(`reading ${printable(paths.join(', '))}`, (watching) =>
      fillParquet(machines, dir, { ...watching, filter }),
    );
  });
}

/** A text that identifies the selected events of each machine; empty for all. */
function choiceText(filters: readonly (EventFilter | undefined)[]): string {
  const parts = filters.map(
    (filter) => filter && Object.entries(filter).filter(([name]) => name !== 'functionAt'),
  );
  return parts.every((each) => each?.length === 0)
    ? ''
    : JSON.stringify(parts, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value));
}

async function answer(
  duck: DuckDb,
  views: readonly string[],
  sql: string,
  form: QueryCommand['form'],
): Promise<void> {
  // DuckDB spills to a directory next to the tables, not to the current directory
  const instance = await duck.DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  const interrupt = (): void => connection.interrupt();
  onEndSignals(interrupt, () => exitNow(exitCode.failed), interrupt);
  try {
    await connection.run(`SET temp_directory = ${literal(join(queryCacheDir(), 'spill'))}`);
    await connection.run(views.join(';\n'));
    const result = await connection.stream(sql).catch((error: unknown) => {
      throw refusedQuery(error);
    });
    const types = result.columnTypes().map(String);
    const writer = resultWriter(form, result.deduplicatedColumnNames(), types);
    const stdout = streamSink(process.stdout);
    const print = async (text: string): Promise<void> => {
      if (text !== '') await stdout.write(Buffer.from(text));
    };
    await print(writer.head());
    const rows = result.yieldRowsJson();
    for (;;) {
      const next = await rows.next().catch((error: unknown) => {
        throw refusedQuery(error);
      });
      if (next.done === true) break;
      await print(writer.rows(next.value));
    }
    await print(writer.end());
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/** The first line of DuckDB's message is sufficient; the others show the place in the query. */
function refusedQuery(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  if (error.message.startsWith('INTERRUPT'))
    return new Failure(exitCode.failed, 'interrupted', '', { cause: error });
  if (error.message === 'Error in native callback')
    return new Failure(exitCode.usage, 'the query has no statement', 'use e.g. "show tables"', {
      cause: error,
    });
  const lines = error.message.split('\n').filter((line) => line.trim() !== '');
  const hint = lines.find((line) => line.startsWith('Did you mean') || line.startsWith('Candidate'));
  return new Failure(
    exitCode.usage,
    printable(lines[0] ?? error.message),
    printable(hint ?? "the query 'show tables' lists the tables, 'describe NAME' the columns of one"),
    { cause: error },
  );
}
