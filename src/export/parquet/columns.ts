import type { ParquetWriter } from 'hyparquet-writer';
import type { EventFormat } from '../../trace/format/event-format.ts';
import type { Field } from '../../trace/format/field.ts';
import { type FieldColumn, fieldColumns } from '../event-tables.ts';

type SchemaElement = ConstructorParameters<typeof ParquetWriter>[0]['schema'][number];

/** A column of a Parquet file. */
export interface Column {
  readonly name: string;
  /** Several elements if the column is a list. */
  readonly schema: readonly SchemaElement[];
}

/** A column for an event's own field. */
export interface OwnColumn extends Column, FieldColumn {
  /** Whether its integers are of 8 bytes. */
  readonly isWide: boolean;
}

/** The columns before an event's own fields. Times are signed, so that their differences are signed too. */
const commonColumns: readonly Column[] = [
  column({ name: '_ts', type: 'INT64', converted_type: 'INT_64', repetition_type: 'REQUIRED' }),
  column({ name: '_cpu', type: 'INT32', converted_type: 'INT_32', repetition_type: 'REQUIRED' }),
  column({ name: '_tid', type: 'INT32', converted_type: 'INT_32', repetition_type: 'REQUIRED' }),
  column({ name: '_comm', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' }),
  column({ name: '_guest', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' }),
  column({ name: '_instance', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' }),
];
/** After those, if there are several machines. */
const machineColumn = column({
  name: '_machine',
  type: 'BYTE_ARRAY',
  converted_type: 'UTF8',
  repetition_type: 'REQUIRED',
});

/** DuckDB's name for the row number, which queries sort by. */
const rowNumberColumn = 'file_row_number';

/** A column of one element. */
export function column(element: SchemaElement): Column {
  return { name: element.name, schema: [element] };
}

/** The columns that come before those of `ownColumns`. @param isNamed whether rows name their machine */
export function commonColumnsOf(isNamed: boolean): readonly Column[] {
  return isNamed ? [...commonColumns, machineColumn] : commonColumns;
}

/**
 * The columns of an event type's own fields. Fields of a name share a column if there is an integer type for the values
 * of both. Names come from the guest: names that are equal in SQL are made unique by a number.
 */
export function ownColumns(formats: readonly EventFormat[], isNamed: boolean): OwnColumn[] {
  const taken = new Set([...commonColumnsOf(isNamed).map(({ name }) => name), rowNumberColumn]);
  const fits = (fields: readonly Field[], field: Field): boolean => typeFor([...fields, field]) !== undefined;
  return fieldColumns(formats, fits).map(({ name: wanted, fields }) => {
    let name = wanted;
    for (let number = 2; taken.has(name.toLowerCase()); number++) name = `${wanted}_${number}`;
    taken.add(name.toLowerCase());
    const type = typeFor(fields)!;
    const isWide = type.content.startsWith('integer') && type.elementBytes === 8;
    return { name, schema: schemaOf(name, type), fields, isWide };
  });
}

/** What decides the type of a column. */
type FieldType = Pick<Field, 'content' | 'signed' | 'elementBytes'>;

/** The type that has the values of all of these fields; undefined if there is none. */
function typeFor(fields: readonly Field[]): FieldType | undefined {
  const [{ content } = { content: 'bytes' as const }] = fields;
  if (fields.some((field) => field.content !== content)) return undefined;
  if (content === 'text' || content === 'bytes') return { content, signed: false, elementBytes: 1 };
  const signed = fields.some((field) => field.signed);
  // an unsigned integer needs the next larger signed one
  const needed = fields.map((field) => field.elementBytes * (signed && !field.signed ? 2 : 1));
  const elementBytes = Math.max(...needed);
  return elementBytes > 8 ? undefined : { content, signed, elementBytes };
}

function schemaOf(name: string, field: FieldType): SchemaElement[] {
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

function integerType({ elementBytes, signed }: FieldType): Pick<SchemaElement, 'type' | 'converted_type'> {
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
