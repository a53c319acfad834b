/** A field's value: a text or bytes as they are, or an integer. A dynamic array's integer is its location. */
export type FieldValue = number | bigint | string | readonly number[];

/** A list for each record: values in the order of the fields; those that are left out are 0. */
export type Records = readonly (readonly FieldValue[])[];

/** An event with its own format, and its records. */
export interface Case {
  /** The thread of each record, if not the usual one. */
  readonly pids?: readonly number[];
  /** Says what the case is about, if the format does not. */
  readonly what: string;
  /** `system:name`; without it an event that no plugin knows. */
  readonly event?: string;
  /** As `madeFields` reads them. */
  readonly fields: string;
  /** What follows `print fmt:`. */
  readonly print: string;
  /** Without it there is one record with the values in `fields`. */
  readonly records?: Records;
}

/** An event that no plugin knows. */
export function plain(what: string, fields: string, print: string): Case {
  return { what, fields, print };
}

/** The same fields and records with each of these formats. */
export function formats(fields: string, records: Records, prints: readonly string[]): Case[] {
  return prints.map((print) => ({ what: '', fields, records, print }));
}

/** A function that makes cases of one event. */
export function casesOf(event: string): (what: string, fields: string, print: string) => Case {
  return (what, fields, print) => ({ what, event, fields, print });
}

/**
 * An event that a plugin prints in its own way, with fields as kernels have them; and without them, with the first only,
 * and with all but the last.
 */
export function pluginEvent(
  event: string,
  fields: string,
  records: Records,
  print = '"the format"',
): readonly Case[] {
  const some = records.slice(0, 2);
  const first = fields.slice(0, fields.indexOf(';'));
  const butLast = fields.slice(0, fields.lastIndexOf(';'));
  const made = (what: string, own: string, values: Records, text: string): Case => {
    return { what, event, fields: own, records: values, print: text };
  };
  return [
    made('', fields, records, print),
    made('without its fields', 'u32 other; u64 another', [[1, 2], []], '"other %d", REC->other'),
    made(
      'with the first field',
      first,
      some.map((values) => values.slice(0, 1)),
      '"first"',
    ),
    made('with all fields but the last', butLast, some, '"all but the last"'),
  ];
}

/** 0, 1, and so on, `count` of them. */
export const range = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
/** A number of each size, signed and not, and a text. */
export const numberFields =
  'u8 b; s8 sb; u16 h; s16 sh; u32 w; s32 sw; u64 q; s64 sq; unsigned long ul; long sl; char name[12]; u32 zero';
export const numberRecords: Records = [
  [],
  [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 'name'],
  [200, -3, 60000, -300, 4000000000, -70000, 1n << 62n, -(1n << 40n), 0xffffffff81000100n, -1n, 'other'],
  [255, -1, 65535, -1, 0xffffffff, -1, (1n << 64n) - 1n, -1n, (1n << 53n) + 1n, -(1n << 53n) - 1n, ''],
  [128, -128, 32768, -32768, 1 << 30, -0x80000000, 1n << 63n, -(1n << 63n), 1n << 32n, 1n << 31n, '%d\\n'],
];
