import type { FieldValue } from '../trace/format/record-data.ts';

/** An array of integers as JSON, in decimal, however large they are. */
function integersText(values: readonly (number | bigint)[]): string {
  return `[${values.join(',')}]`;
}

/** Bytes in hexadecimal, in memory order. */
export function hexText(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
}

/** An array or opaque bytes as text, for formats without a type for them. */
export function compoundText(value: FieldValue): string {
  if (value instanceof Uint8Array) return hexText(value);
  return typeof value === 'object' ? integersText(value) : String(value);
}
