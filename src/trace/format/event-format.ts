import { parseFieldLine, type Field } from './field.ts';
import { FormatError } from './format-error.ts';

/** One event's format, as `events/SYSTEM/NAME/format` declares it. */
export interface EventFormat {
  readonly system: string;
  readonly name: string;
  /** `system:name`, unique in a kernel; `name` alone is not. */
  readonly fullName: string;
  /** The value of `common_type` in this event's records. */
  readonly id: number;
  /** Fields common to all events, in file order. */
  readonly commonFields: readonly Field[];
  /** The event's own fields, in file order. */
  readonly fields: readonly Field[];
  /** Field declarations that could not be parsed; these fields are missing from the lists above. */
  readonly unread: readonly string[];
  /** The text after `print fmt:`, to the end of the file: a C expression list, possibly on several lines. */
  readonly printFormat: string;
}

/** Largest event id: `common_type` is an unsigned short. */
const maxEventId = 0xffff;
/**
 * Limit for the fields of an event: the value of each field of size 0 may be the whole record. The kernel's events have
 * at most 100 fields.
 */
const maxFields = 1000;
/** Names that a tracefs directory can have: user_events allows anything but whitespace and colons. */
const nameLine = /^name: *(\S{1,255}) *$/m;

/**
 * Parses the text of a format file. `system` is the directory's name, which the text does not contain; `longBytes` is
 * the size of the guest's `long`. A field declaration that cannot be parsed goes to `unread`; the other fields remain
 * readable. Parses the name and id now, and the rest on first use: a kernel has thousands of formats, of which a trace
 * needs a few. Throws FormatError if the name or the id is missing or malformed.
 */
export function parseEventFormat(system: string, text: string, longBytes: 4 | 8 = 8): EventFormat {
  return new FormatFile(system, text, longBytes);
}

/** The parts of the text that are parsed on demand. */
interface FormatBody {
  readonly commonFields: readonly Field[];
  readonly fields: readonly Field[];
  readonly unread: readonly string[];
}

class FormatFile implements EventFormat {
  readonly system: string;
  readonly name: string;
  readonly fullName: string;
  readonly id: number;
  readonly #text: string;
  readonly #longBytes: 4 | 8;
  readonly #printAt: number;
  #body: FormatBody | undefined;

  constructor(system: string, text: string, longBytes: 4 | 8) {
    this.#text = text;
    this.#longBytes = longBytes;
    this.#printAt = text.search(/^print fmt:/m);
    const head = this.#head;
    const name = nameLine.exec(head)?.[1];
    const what = `format of ${system}:${name ?? '?'}`;
    if (name === undefined) throw new FormatError(what, 'no line "name:"');
    const id = Number(/^ID: *(\d+) *$/m.exec(head)?.[1] ?? Number.NaN);
    if (!(id <= maxEventId)) throw new FormatError(what, `no line "ID:" with a number up to ${maxEventId}`);
    this.system = system;
    this.name = name;
    this.fullName = `${system}:${name}`;
    this.id = id;
  }

  get commonFields(): readonly Field[] {
    return this.#parsed.commonFields;
  }

  get fields(): readonly Field[] {
    return this.#parsed.fields;
  }

  get unread(): readonly string[] {
    return this.#parsed.unread;
  }

  get printFormat(): string {
    return this.#printAt < 0 ? '' : this.#text.slice(this.#printAt + 'print fmt:'.length).trim();
  }

  /** The lines of the common fields; undefined if they have an unusual form, or if another line has one of `names`. */
  usualCommonLines(names: readonly string[]): string | undefined {
    const head = this.#head;
    const [, lines, rest] = /^format:\n((?:.+\n)*)\n([^]*)$/m.exec(head) ?? [];
    if (lines === undefined || rest === undefined || names.some((name) => rest.includes(name)))
      return undefined;
    return /^[^\S\n]+$/m.test(lines) ? undefined : lines;
  }

  get #head(): string {
    return this.#printAt < 0 ? this.#text : this.#text.slice(0, this.#printAt);
  }

  get #parsed(): FormatBody {
    this.#body ??= parseFields(this.#head, this.#longBytes);
    return this.#body;
  }
}

function parseFields(head: string, longBytes: 4 | 8): FormatBody {
  const commonFields: Field[] = [];
  const fields: Field[] = [];
  const unread: string[] = [];
  // an empty line separates the common fields from the event's own
  let into = commonFields;
  const lines = head.split('\n');
  for (const line of lines.slice(lines.findIndex((line) => line.startsWith('format:')) + 1)) {
    if (line.trim() === '') {
      into = fields;
    } else if (line.includes('field:')) {
      const field = parseFieldLine(line, longBytes);
      if (field === undefined || into.length >= maxFields) unread.push(line.trim());
      else into.push(field);
    }
  }
  return { commonFields, fields, unread };
}

/**
 * The lines that decide the result of `fieldOf` for common fields: a text that most formats share. Undefined if the
 * format must be parsed to tell.
 * @param names of the common fields
 */
export function commonLines(format: EventFormat, names: readonly string[]): string | undefined {
  return format instanceof FormatFile ? format.usualCommonLines(names) : undefined;
}

/** The field of that name, own fields first; undefined if there is none. */
export function fieldOf(format: EventFormat, name: string): Field | undefined {
  return (
    format.fields.find((field) => field.name === name) ??
    format.commonFields.find((field) => field.name === name)
  );
}
