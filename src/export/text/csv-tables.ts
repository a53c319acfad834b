import type { TraceEvent } from '../../trace/events/trace-event.ts';
import type { EventFormat } from '../../trace/format/event-format.ts';
import type { Field } from '../../trace/format/field.ts';
import type { Machine } from '../../trace/session.ts';
import { fileNameOf } from '../file-names.ts';
import { cell, commonColumns, type CsvColumn, CsvTable, typeName } from './csv-table.ts';

/** A table for each event type, in which the events of all machines are. */
export class CsvTables {
  /** By file name, without the extension. */
  readonly tables = new Map<string, CsvTable>();
  readonly #machines: ReadonlyMap<string, MachineRows>;
  /** If there is only one. */
  readonly #only: MachineRows | undefined;

  constructor(machines: readonly Machine[]) {
    const isNamed = machines.length > 1;
    this.#machines = new Map(machines.map((each) => [each.name, new MachineRows(each, isNamed)]));
    this.#only = isNamed ? undefined : [...this.#machines.values()][0];
  }

  /** Adds an event to the table of its type. @returns the number of bytes that it takes */
  add(event: TraceEvent): number {
    const machine = this.#machineOf(event);
    const { table, fields } = this.#rowsOf(machine, event);
    const before = table.out.length;
    table.add(event, { fields, guest: machine.guest, machine: machine.name });
    return table.out.length - before;
  }

  tableOf(event: TraceEvent): CsvTable {
    return this.#rowsOf(this.#machineOf(event), event).table;
  }

  #machineOf({ machine }: TraceEvent): MachineRows {
    return this.#only ?? this.#machines.get(machine)!;
  }

  #rowsOf({ types }: MachineRows, event: TraceEvent): RowType {
    return (types[event.id] ??= this.#typeOf(event));
  }

  #typeOf({ id, name, format }: TraceEvent): RowType {
    const file = fileNameOf(id, format);
    let table = this.tables.get(file);
    if (table === undefined) {
      const formats = [...this.#machines.values()].flatMap(({ formats }) => formats.get(file) ?? []);
      table = new CsvTable(name, columnsOf(formats, this.#only === undefined));
      this.tables.set(file, table);
    }
    const own = new Map(format === undefined ? [] : keyed(format));
    const keys = table.columns.flatMap(({ key }) => key ?? []);
    return { table, fields: keys.map((key) => own.get(key)) };
  }
}

interface RowType {
  readonly table: CsvTable;
  readonly fields: readonly (Field | undefined)[];
}

/** What the rows of a machine have in common. Texts are cells. */
class MachineRows {
  /** Undefined if there is only one machine. */
  readonly name: string | undefined;
  /** Empty if it is unknown. */
  readonly guest: string;
  /** By file name. */
  readonly formats = new Map<string, EventFormat[]>();
  /** By event id. */
  readonly types: (RowType | undefined)[] = [];

  constructor({ name, trace: { source } }: Machine, isNamed: boolean) {
    this.name = isNamed ? cell(name) : undefined;
    this.guest = cell(source.recording?.guest ?? '');
    for (const format of source.catalogue.formats()) {
      const file = fileNameOf(format.id, format);
      const known = this.formats.get(file);
      if (known === undefined) this.formats.set(file, [format]);
      else known.push(format);
    }
  }
}

/** Those of all events, and a column for each field that any of the formats has. */
function columnsOf(formats: readonly EventFormat[], isNamed: boolean): CsvColumn[] {
  const own = new Map<string, { readonly name: string; readonly types: Set<string> }>();
  for (const format of formats)
    for (const [key, field] of keyed(format)) {
      const known = own.get(key) ?? { name: field.name, types: new Set() };
      known.types.add(typeName(field));
      own.set(key, known);
    }
  const machine = isNamed ? [['_machine', 'text'] as const] : [];
  return [
    ...[...commonColumns, ...machine].map(([name, type]) => ({ name, type, key: undefined })),
    ...[...own].map(([key, { name, types }]) => ({ name, type: [...types].join(' or '), key })),
  ];
}

/** Fields with a key that differs even if names do not. */
function keyed({ fields }: EventFormat): [key: string, field: Field][] {
  const counts = new Map<string, number>();
  return fields.map((field) => {
    const count = counts.get(field.name) ?? 0;
    counts.set(field.name, count + 1);
    return [`${count} ${field.name}`, field];
  });
}
