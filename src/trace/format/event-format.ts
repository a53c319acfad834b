import { parseFieldLine, type Field } from './field.ts';
import { FormatError } from './format-error.ts';

/** One event's format, as `events/SYSTEM/NAME/format` declares it. */
export interface EventFormat {
  readonly system: string;
  readonly name: string;
  /** `system:name`, which is unique in a kernel; `name` alone is not. */
  readonly fullName: string;
  /** The number that a record of this event carries in `common_type`. */
  readonly id: number;
  /** Fields that every event has, in the file's order. */
  readonly commonFields: readonly Field[];
  /** The event's own fields, in the file's order. */
  readonly fields: readonly Field[];
  /** Declarations that could not be read: fields that the event has, and that are in none of the lists. */
  readonly unread: readonly string[];
  /** What follows `print fmt:`, to the end of the file: a C expression list, on several lines at times. */
  readonly printFormat: string;
}

/** `common_type` is an unsigned short. */
const maxEventId = 0xffff;
/** What a directory of tracefs can be named: user_events allow all but blanks and colons. */
const nameLine = /^name: *(\S{1,255}) *$/m;

/**
 * Parses the text of a format file. `system` is the directory's name, which the text does not hold; `longBytes` is
 * the size of the guest's `long`. A field that is declared in an unusual way is left out and named in `unread`: all
 * others, and the event's records, can be read without it.
 * Throws FormatError when the name or the id is not as the kernel writes it.
 */
export function parseEventFormat(system: string, text: string, longBytes: 4 | 8 = 8): EventFormat {
  const printAt = text.search(/^print fmt:/m);
  const head = printAt < 0 ? text : text.slice(0, printAt);
  const name = nameLine.exec(head)?.[1];
  const what = `format of ${system}:${name ?? '?'}`;
  if (name === undefined) throw new FormatError(what, 'no line "name:"');
  const id = Number(/^ID: *(\d+) *$/m.exec(head)?.[1] ?? Number.NaN);
  if (!(id <= maxEventId)) throw new FormatError(what, `no line "ID:" with a number up to ${maxEventId}`);

  const commonFields: Field[] = [];
  const fields: Field[] = [];
  const unread: string[] = [];
  // An empty line parts the common fields from the event's own.
  let into = commonFields;
  const lines = head.split('\n');
  for (const line of lines.slice(lines.findIndex((line) => line.startsWith('format:')) + 1)) {
    if (line.trim() === '') {
      into = fields;
    } else if (line.includes('field:')) {
      const field = parseFieldLine(line, longBytes);
      if (field === undefined) unread.push(line.trim());
      else into.push(field);
    }
  }
  const printFormat = printAt < 0 ? '' : text.slice(printAt + 'print fmt:'.length).trim();
  return { system, name, fullName: `${system}:${name}`, id, commonFields, fields, unread, printFormat };
}

/** The field of that name, the event's own before a common one; undefined when there is none. */
export function fieldOf(format: EventFormat, name: string): Field | undefined {
  return (
    format.fields.find((field) => field.name === name) ??
    format.commonFields.find((field) => field.name === name)
  );
}
