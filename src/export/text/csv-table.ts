import { quoted } from '../../base/quoted.ts';
import type { TraceEvent } from '../../trace/events/trace-event.ts';
import type { Field } from '../../trace/format/field.ts';
import type { Machine } from '../../trace/session.ts';
import {
  EventTables,
  type EventType,
  type FieldColumn,
  fieldColumns,
  type RowParts,
} from '../event-tables.ts';
import { FieldSpan } from '../field-span.ts';
import { TextWriter } from './text-writer.ts';

/** Maximum number of encoded task names that each table caches. */
const maxComms = 256;
const comma = 0x2c;
const newline = 0x0a;
const quote = 0x22;
const carriageReturn = 0x0d;
const blank = 0x20;
const encoder = new TextEncoder();
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
const span = new FieldSpan();

/** The columns before an event's own fields, and their types. */
const commonColumns: readonly CsvColumn[] = [
  { name: '_ts', type: 'uint64' },
  { name: '_cpu', type: 'uint32' },
  { name: '_tid', type: 'int32' },
  { name: '_comm', type: 'text' },
  { name: '_guest', type: 'text' },
  { name: '_instance', type: 'text' },
];
const machineColumn: CsvColumn = { name: '_machine', type: 'text' };

export interface CsvColumn {
  readonly name: string;
  readonly type: string;
}

/** The rows of one event type in CSV; `out` has those that are not yet written. */
export class CsvTable {
  readonly out = new TextWriter('bare');
  /** The event's full name. */
  readonly event: string;
  /** Name of the file, without the extension. */
  readonly file: string;
  readonly fieldColumns: readonly FieldColumn[];
  readonly columns: readonly CsvColumn[];
  /** Encoded cells of task names. */
  readonly #comms = new Map<string, Uint8Array>();

  /** Writes the header. @param isNamed whether rows name their machine */
  constructor({ fullName, file, formats }: EventType, isNamed: boolean) {
    this.event = fullName;
    this.file = file;
    this.fieldColumns = fieldColumns(formats);
    const own = this.fieldColumns.map(({ name, fields }) => ({
      name,
      type: [...new Set(fields.map(typeName))].join(' or '),
    }));
    this.columns = [...commonColumns, ...(isNamed ? [machineColumn] : []), ...own];
    this.out.text(`${this.columns.map(({ name }) => cell(name)).join(',')}\n`);
  }

  /** @param parts its texts are cells, as in `csvTables` */
  add(event: TraceEvent, { fields, guest, machine }: RowParts): void {
    const { out } = this;
    const { record, pid, task } = event;
    out.time(event.timestamp);
    out.byte(comma);
    out.decimal(event.cpu);
    out.byte(comma);
    if (pid < 0) out.text(String(pid));
    else out.decimal(pid);
    out.byte(comma);
    if (task !== undefined) out.copy(this.#commOf(task));
    out.byte(comma);
    if (guest !== undefined) out.text(guest);
    out.byte(comma);
    if (event.buffer !== '') out.text(cell(event.buffer));
    if (machine !== undefined) {
      out.byte(comma);
      out.text(machine);
    }
    for (const field of fields) {
      out.byte(comma);
      if (field === undefined) continue;
      if (field.content === 'integer') {
        if (field.offset + field.bytes <= record.dataBytes) out.integer(field, record);
        continue;
      }
      if (!span.find(record, field)) continue;
      const { page } = record;
      if (field.content === 'text') {
        if (span.endText(page)) writeText(out, page, span.start, span.end);
        else writeText(out, encoder.encode(utf8.decode(page.subarray(span.start, span.end))));
      } else if (field.content === 'bytes') {
        out.hex(page, span.start, span.end);
      } else {
        out.copy(arrayStart);
        out.integers(record, field, span.start, span.end);
        out.copy(arrayEnd);
      }
    }
    out.byte(newline);
  }

  #commOf(task: string): Uint8Array {
    let known = this.#comms.get(task);
    if (known === undefined) {
      const made = new TextWriter('bare');
      writeText(made, encoder.encode(task));
      known = made.view();
      if (this.#comms.size < maxComms) this.#comms.set(task, known);
    }
    return known;
  }
}

/** The tables of some machines. */
export function csvTables(machines: readonly Machine[]): EventTables<CsvTable> {
  return new EventTables(machines, (type, isNamed) => new CsvTable(type, isNamed), cell);
}

const arrayStart = encoder.encode('"[');
const arrayEnd = encoder.encode(']"');

/**
 * Writes a text, in quotes if a character requires them, or if it begins or ends with a blank, which some readers
 * remove.
 */
function writeText(out: TextWriter, from: Uint8Array, start = 0, end = from.length): void {
  out.reserve(2 * (end - start) + 2);
  const { bytes } = out;
  const first = out.length;
  let to = first;
  let isSpecial = start === end || from[start] === blank || from[end - 1] === blank;
  for (let at = start; at < end && !isSpecial; at++) {
    const byte = from[at]!;
    isSpecial = byte === comma || byte === quote || byte === newline || byte === carriageReturn;
    bytes[to++] = byte;
  }
  if (isSpecial) {
    to = first;
    bytes[to++] = quote;
    for (let at = start; at < end; at++) {
      const byte = from[at]!;
      if (byte === quote) bytes[to++] = quote;
      bytes[to++] = byte;
    }
    bytes[to++] = quote;
  }
  out.length = to;
}

/** A cell for a short text. */
export function cell(text: string): string {
  return /[",\r\n]|^ | $/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A field's type, as `columns.csv` names it. */
function typeName({ content, signed, elementBytes }: Field): string {
  const integer = `${signed ? '' : 'u'}int${elementBytes * 8}`;
  switch (content) {
    case 'integer':
      return integer;
    case 'integers':
      return `${integer}[]`;
    case 'text':
    case 'bytes':
      return content;
    default:
      throw new TypeError(`content ${quoted(String(content satisfies never))}`);
  }
}
