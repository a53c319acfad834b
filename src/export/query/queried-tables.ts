import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { EventFormat } from '../../trace/format/event-format.ts';
import { eventTypes } from '../event-tables.ts';
import { type ExportSource, machinesOf } from '../machines.ts';
import { type OwnColumn, ownColumns } from '../parquet/columns.ts';
import { parquetFileOf, tasksFile } from '../parquet/export-parquet.ts';

/** An event type that occurs, and its Parquet file. */
export interface EventTable {
  /** `#id` if it has no format. */
  readonly fullName: string;
  /** Without the system; undefined if it has no format. */
  readonly name: string | undefined;
  readonly path: string;
  /** The columns of its own fields. */
  readonly columns: readonly OwnColumn[];
}

/** The tables of some machines. */
export interface QueriedTables {
  readonly machines: readonly QueriedMachine[];
  readonly events: readonly EventTable[];
  readonly tasksPath: string;
}

export interface QueriedMachine {
  /** As in the column `_machine`; undefined if there is only one machine, and no such column. */
  readonly name: string | undefined;
  /** Its format of `system:event`. */
  readonly format: (fullName: string) => EventFormat | undefined;
}

/** Finds the tables in a directory that `fillParquet` has written for these machines. */
export async function queriedTables(from: ExportSource, dir: string): Promise<QueriedTables> {
  const machines = machinesOf(from);
  const isNamed = machines.length > 1;
  const files = new Set(await readdir(dir));
  const known = [...eventTypes(machines).values()].flatMap(({ fullName, file, formats }): EventTable[] => {
    const name = parquetFileOf(file);
    if (!files.delete(name)) return [];
    return [
      { fullName, name: formats[0]!.name, path: join(dir, name), columns: ownColumns(formats, isNamed) },
    ];
  });
  const unknown = [...files].flatMap((file): EventTable[] => {
    const id = /^unknown\.event\.(\d{1,5})\.parquet$/.exec(file)?.[1];
    return id === undefined
      ? []
      : [{ fullName: `#${id}`, name: undefined, path: join(dir, file), columns: [] }];
  });
  return {
    machines: machines.map(({ name, trace }) => ({
      name: isNamed ? name : undefined,
      format: (fullName) => trace.format(fullName),
    })),
    events: [...known, ...unknown],
    tasksPath: join(dir, tasksFile),
  };
}
