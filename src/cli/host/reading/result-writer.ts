import type { Json } from '@duckdb/node-api';
import { json, printable } from '../../../base/quoted.ts';
import { cell } from '../../../export/text/csv-table.ts';

/** Formats the rows of a query's result as text, in batches. */
export interface ResultWriter {
  /** Text before the first row. */
  head(): string;
  rows(rows: readonly (readonly Json[])[]): string;
  /** Text after the last row. */
  end(): string;
}

const bigTypes: ReadonlySet<string> = new Set(['BIGINT', 'UBIGINT', 'HUGEINT', 'UHUGEINT']);

/** @param types of the columns, as DuckDB names them */
export function resultWriter(
  form: 'table' | 'json' | 'csv',
  names: readonly string[],
  types: readonly string[],
): ResultWriter {
  switch (form) {
    case 'json':
      return new JsonWriter(names, types);
    case 'csv':
      return new CsvWriter(names);
    case 'table':
      return new TableWriter(names);
    default:
      return form satisfies never;
  }
}

/** One object per row and line. Integers beyond 2^53 are strings, as in `export --to ndjson`. */
class JsonWriter implements ResultWriter {
  readonly #names: readonly string[];
  readonly #isBig: readonly boolean[];

  constructor(names: readonly string[], types: readonly string[]) {
    this.#names = names;
    this.#isBig = types.map((type) => bigTypes.has(type));
  }

  head(): string {
    return '';
  }

  rows(rows: readonly (readonly Json[])[]): string {
    return rows
      .map((row) => `${json(Object.fromEntries(row.map((value, at) => this.#entry(value, at))))}\n`)
      .join('');
  }

  end(): string {
    return '';
  }

  #entry(value: Json, at: number): [string, Json] {
    const isNumber =
      this.#isBig[at] === true && typeof value === 'string' && Number.isSafeInteger(Number(value));
    return [this.#names[at]!, isNumber ? Number(value) : value];
  }
}

class CsvWriter implements ResultWriter {
  readonly #names: readonly string[];

  constructor(names: readonly string[]) {
    this.#names = names;
  }

  head(): string {
    return `${this.#names.map(cell).join(',')}\n`;
  }

  rows(rows: readonly (readonly Json[])[]): string {
    return rows
      .map((row) => `${row.map((value) => (value === null ? '' : csvCell(textOf(value)))).join(',')}\n`)
      .join('');
  }

  end(): string {
    return '';
  }
}

/** Quotes an empty text, to distinguish it from null. */
function csvCell(text: string): string {
  return text === '' ? '""' : cell(text);
}

function textOf(value: Json): string {
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** Number of rows that determine the column widths; later ones may be wider. */
const firstRows = 1000;

class TableWriter implements ResultWriter {
  readonly #names: readonly string[];
  #waiting: string[][] | undefined = [];
  #widths: number[] = [];
  #isToTheRight: boolean[] = [];

  constructor(names: readonly string[]) {
    this.#names = names.map(printable);
  }

  head(): string {
    return '';
  }

  rows(rows: readonly (readonly Json[])[]): string {
    const cells = rows.map((row) => row.map((value) => (value === null ? '-' : printable(textOf(value)))));
    if (this.#waiting === undefined) return this.#lines(cells);
    this.#waiting.push(...cells);
    return this.#waiting.length < firstRows ? '' : this.#begin();
  }

  end(): string {
    return this.#begin();
  }

  #begin(): string {
    const first = this.#waiting;
    if (first === undefined) return '';
    this.#waiting = undefined;
    const columns = this.#names.map((_, at) => first.map((row) => row[at]!));
    this.#widths = this.#names.map((name, at) =>
      columns[at]!.reduce((width, text) => Math.max(width, text.length), name.length),
    );
    this.#isToTheRight = columns.map((texts) =>
      texts.every((text) => /^(?:-?\d[\d.]*(?:e[-+]?\d+)?|-)$/.test(text)),
    );
    return this.#lines([[...this.#names], ...first]);
  }

  #lines(rows: readonly (readonly string[])[]): string {
    return rows
      .map(
        (row) =>
          `${row
            .map((text, at) => this.#padded(text, at))
            .join('  ')
            .trimEnd()}\n`,
      )
      .join('');
  }

  #padded(text: string, at: number): string {
    const width = this.#widths[at] ?? 0;
    return this.#isToTheRight[at] === true ? text.padStart(width) : text.padEnd(width);
  }
}
