import type { TraceEvent } from '../trace/events/trace-event.ts';
import type { EventFormat } from '../trace/format/event-format.ts';
import type { Field } from '../trace/format/field.ts';
import type { Machine } from '../trace/session.ts';
import { fileNameOf } from './file-names.ts';

/** An event type of some machines. */
export interface EventType {
  /** `system:event`; `#id` without a format. */
  readonly fullName: string;
  /** Name of the file for its table, without the extension. */
  readonly file: string;
  /** The formats that the machines have of it; none for an id without a format. */
  readonly formats: readonly EventFormat[];
}

/** The event types that any of the machines has a format of, by full name. */
export function eventTypes(machines: readonly Machine[]): Map<string, EventType> {
  const types = new Map<string, EventType & { readonly formats: EventFormat[] }>();
  const files = new Set<string>();
  for (const { trace } of machines)
    for (const format of trace.formats()) {
      const { fullName } = format;
      const known = types.get(fullName);
      if (known !== undefined) {
        known.formats.push(format);
        continue;
      }
      const name = fileNameOf(format.id, format);
      let file = name;
      // an odd name has the id of one machine, and another machine may use that for another odd name
      for (let number = 2; files.has(file); number++) file = `${name}.${number}`;
      files.add(file);
      types.set(fullName, { fullName, file, formats: [format] });
    }
  return types;
}

/** A column for an event's own field. */
export interface FieldColumn {
  readonly name: string;
  /** The field of each format that has it. */
  readonly fields: readonly Field[];
}

/**
 * A column for each field that any of the formats has. Fields of the same name share one, if `fits` allows it; two
 * fields of one format never do.
 */
export function fieldColumns(
  formats: readonly EventFormat[],
  fits: (column: readonly Field[], field: Field) => boolean = () => true,
): FieldColumn[] {
  const columns = new Map<string, { readonly name: string; readonly fields: Field[] }[]>();
  for (const format of formats) {
    const counts = new Map<string, number>();
    for (const field of format.fields) {
      const { name } = field;
      const count = counts.get(name) ?? 0;
      counts.set(name, count + 1);
      const key = `${count} ${name}`;
      const alike = columns.get(key) ?? [];
      const column = alike.find(({ fields }) => fits(fields, field));
      if (column === undefined) columns.set(key, [...alike, { name, fields: [field] }]);
      else column.fields.push(field);
    }
  }
  return [...columns.values()].flat();
}

/** A table for the events of one type. */
interface Table {
  readonly fieldColumns: readonly FieldColumn[];
}

/** What a row has besides its event. */
export interface RowParts {
  /** The field of each of the table's `fieldColumns`; undefined where the event's format has none. */
  readonly fields: readonly (Field | undefined)[];
  /** Name of the guest, in a recording. */
  readonly guest: string | undefined;
  /** Name of the machine; undefined if there is only one. */
  readonly machine: string | undefined;
}

/** The tables of the event types that occur, each with the events of all machines. */
export class EventTables<T extends Table> {
  /** In the order in which their types occurred. */
  readonly tables: T[] = [];
  readonly #types: Map<string, EventType>;
  readonly #make: (type: EventType, isNamed: boolean) => T;
  readonly #byType = new Map<EventType, T>();
  readonly #machines: ReadonlyMap<string, MachineRows<T>>;
  /** If there is only one. */
  readonly #only: MachineRows<T> | undefined;

  /**
   * @param make makes the table of a type; `isNamed` if its rows name their machine
   * @param written how texts of `RowParts` are written
   */
  constructor(
    machines: readonly Machine[],
    make: (type: EventType, isNamed: boolean) => T,
    written = (text: string): string => text,
  ) {
    const isNamed = machines.length > 1;
    this.#types = eventTypes(machines);
    this.#make = make;
    this.#machines = new Map(
      machines.map(({ name, trace }) => {
        const guest = trace.source.recording?.guest;
        const parts = {
          guest: guest === undefined ? undefined : written(guest),
          machine: isNamed ? written(name) : undefined,
        };
        return [name, { parts, rows: [] }];
      }),
    );
    this.#only = isNamed ? undefined : [...this.#machines.values()][0];
  }

  /** The table of an event, and what its row has besides it. */
  rowsOf(event: TraceEvent): EventRows<T> {
    const machine = this.#only ?? this.#machines.get(event.machine)!;
    return (machine.rows[event.id] ??= this.#rowsOf(event, machine));
  }

  #rowsOf({ id, name, format }: TraceEvent, { parts }: MachineRows<T>): EventRows<T> {
    let type = this.#types.get(name);
    if (type === undefined) {
      type = { fullName: name, file: fileNameOf(id, undefined), formats: [] };
      this.#types.set(name, type);
    }
    let table = this.#byType.get(type);
    if (table === undefined) {
      table = this.#make(type, this.#only === undefined);
      this.#byType.set(type, table);
      this.tables.push(table);
    }
    const own = new Set(format?.fields);
    const fields = table.fieldColumns.map((column) => column.fields.find((field) => own.has(field)));
    return { table, parts: { ...parts, fields } };
  }
}

interface EventRows<T> {
  readonly table: T;
  readonly parts: RowParts;
}

/** What the rows of a machine have in common; by event id. */
interface MachineRows<T> {
  readonly parts: Omit<RowParts, 'fields'>;
  readonly rows: (EventRows<T> | undefined)[];
}
