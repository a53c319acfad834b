import type { ParquetWriter } from 'hyparquet-writer';
import type { EventFormat } from '../../trace/format/event-format.ts';
import type { Field } from '../../trace/format/field.ts';

type SchemaElement = ConstructorParameters<typeof ParquetWriter>[0]['schema'][number];

/** A column of a Parquet file. */
export interface Column {
  readonly name: string;
  /** Several elements if the column is a list. */
  readonly schema: readonly SchemaElement[];
  /** The event's field; undefined for the common columns. */
  readonly field: Field | undefined;
}

/** The columns before an event's own fields. Times are signed, so that their differences are signed too. */
const commonColumns: readonly Column[] = [
  common({ name: '_ts', type: 'INT64', converted_type: 'INT_64', repetition_type: 'REQUIRED' }),
  common({ name: '_cpu', type: 'INT32', converted_type: 'INT_32', repetition_type: 'REQUIRED' }),
  common({ name: '_tid', type: 'INT32', converted_type: 'INT_32', repetition_type: 'REQUIRED' }),
  common({ name: '_comm', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' }),
  common({ name: '_guest', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' }),
  common({ name: '_instance', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' }),
];

/** DuckDB's name for the row number, which queries sort by. */
const rowNumberColumn = 'file_row_number';

export const commonCount = commonColumns.length;

function common(element: SchemaElement): Column {
  return { name: element.name, schema: [element], field: undefined };
}

/** The columns of an event type. Names come from the guest: names that are equal in SQL are made unique by a number. */
export function columnsOf(format: EventFormat | undefined): Column[] {
  const taken = new Set([...commonColumns.map(({ name }) => name), rowNumberColumn]);
  const own = (format?.fields ?? []).map((field): Column => {
    let name = field.name;
    for (let number = 2; taken.has(name.toLowerCase()); number++) name = `${field.name}_${number}`;
    taken.add(name.toLowerCase());
    return { name, schema: schemaOf(name, field), field };
  });
  return [...commonColumns, ...own];
}

function schemaOf(name: string, field: Field): SchemaElement[] {
  switch (field.content) {
    case 'integer':
      return [{ name, repetition_type: 'OPTIONAL', ...integerType(field) }];
    case 'text':
      return [{ name, repetition_type: 'OPTIONAL', type: 'BYTE_ARRAY', converted_type: 'UTF8' }];
    case 'bytes':
      return [{ name, repetition_type: 'OPTIONAL', type: 'BYTE_ARRAY' }];
    case 'integers':
      return [
        { name, repetition_type: 'OPTIONAL', converted_type: 'LIST', num_children: 1 },
        { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
        { name: 'element', repetition_type: 'REQUIRED', ...integerType(field) },
      ];
    default:
      return field.content satisfies never;
  }
}

function integerType({ elementBytes, signed }: Field): Pick<SchemaElement, 'type' | 'converted_type'> {
  switch (elementBytes) {
    case 1:
      return { type: 'INT32', converted_type: signed ? 'INT_8' : 'UINT_8' };
    case 2:
      return { type: 'INT32', converted_type: signed ? 'INT_16' : 'UINT_16' };
    case 4:
      return { type: 'INT32', converted_type: signed ? 'INT_32' : 'UINT_32' };
    default:
      return { type: 'INT64', converted_type: signed ? 'INT_64' : 'UINT_64' };
  }
}
