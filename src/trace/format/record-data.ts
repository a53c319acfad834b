import type { Field } from './field.ts';

/** The data of one record in its page. `PageCursor` implements it, so that reading a field allocates nothing. */
export interface RecordData {
  /** The page's bytes, and a DataView of them. */
  readonly page: Uint8Array;
  readonly view: DataView;
  /** Offset in the page and size of the record's data, which is within the page. */
  readonly dataOffset: number;
  readonly dataBytes: number;
}

export type FieldValue = number | bigint | string | readonly (number | bigint)[] | Uint8Array;

/** `spanOf` packs a field's bounds in the page into one number: start x 2^24 + length. */
export const spanUnit = 2 ** 24;

/**
 * A field's integer: a number for 1, 2 and 4 bytes, a bigint for 8; signed if the field is.
 * Undefined if the record is too short for it or the field is not an integer.
 */
export function readInteger(record: RecordData, field: Field): number | bigint | undefined {
  if (field.content !== 'integer' || field.offset + field.bytes > record.dataBytes) return undefined;
  return integerAt(record.view, record.dataOffset + field.offset, field.elementBytes, field.signed);
}

/** A field's integer of at most 4 bytes; undefined if it is wider, not an integer, or beyond the record. */
export function readNumber(record: RecordData, field: Field): number | undefined {
  const value = readInteger(record, field);
  return typeof value === 'number' ? value : undefined;
}

/**
 * A field's text up to its first NUL or its end, decoded as UTF-8, with U+FFFD for invalid bytes.
 * Undefined if the field is not text, or lies or points beyond the record.
 */
export function readText(record: RecordData, field: Field): string | undefined {
  if (field.content !== 'text') return undefined;
  const span = spanOf(record, field);
  if (span < 0) return undefined;
  const start = Math.floor(span / spanUnit);
  const end = start + (span % spanUnit);
  let stop = start;
  while (stop < end && record.page[stop] !== 0) stop++;
  return textAt(record.page, start, stop);
}

/** A field's raw bytes, a view into the page; undefined if they lie or point beyond the record. */
export function readBytes(record: RecordData, field: Field): Uint8Array | undefined {
  const span = spanOf(record, field);
  if (span < 0) return undefined;
  const start = Math.floor(span / spanUnit);
  return record.page.subarray(start, start + (span % spanUnit));
}

/** A field's value, of the type that its `content` implies; undefined if it lies or points beyond the record. */
export function readValue(record: RecordData, field: Field): FieldValue | undefined {
  switch (field.content) {
    case 'integer':
      return readInteger(record, field);
    case 'text':
      return readText(record, field);
    case 'integers':
      return readIntegers(record, field);
    case 'bytes':
      return readBytes(record, field);
    default:
      return field.content satisfies never;
  }
}

function readIntegers(record: RecordData, field: Field): (number | bigint)[] | undefined {
  const span = spanOf(record, field);
  if (span < 0) return undefined;
  const start = Math.floor(span / spanUnit);
  const count = Math.floor((span % spanUnit) / field.elementBytes);
  return Array.from({ length: count }, (_, index) =>
    integerAt(record.view, start + index * field.elementBytes, field.elementBytes, field.signed),
  );
}

/** Bounds of a field's bytes in one number, to avoid allocating an object per field; -1 if beyond the record. */
export function spanOf(record: RecordData, field: Field): number {
  const end = field.offset + field.bytes;
  if (end > record.dataBytes) return -1;
  let start = field.offset;
  let bytes = field.bytes;
  if (field.place === 'tail') {
    bytes = record.dataBytes - field.offset;
  } else if (field.place !== 'inline') {
    const word = record.view.getUint32(record.dataOffset + field.offset, true);
    start = (word & 0xffff) + (field.place === 'rel-loc' ? end : 0);
    bytes = word >>> 16;
    if (start + bytes > record.dataBytes) return -1;
  }
  return (record.dataOffset + start) * spanUnit + bytes;
}

function integerAt(view: DataView, at: number, bytes: number, signed: boolean): number | bigint {
  switch (bytes) {
    case 1:
      return signed ? view.getInt8(at) : view.getUint8(at);
    case 2:
      return signed ? view.getInt16(at, true) : view.getUint16(at, true);
    case 4:
      return signed ? view.getInt32(at, true) : view.getUint32(at, true);
    default:
      return signed ? view.getBigInt64(at, true) : view.getBigUint64(at, true);
  }
}

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
const shortTextBytes = 32;

/** Decodes short ASCII, the usual case, without TextDecoder, whose call overhead exceeds the work for a comm. */
function textAt(page: Uint8Array, start: number, end: number): string {
  if (end - start > shortTextBytes) return utf8.decode(page.subarray(start, end));
  let text = '';
  for (let at = start; at < end; at++) {
    const byte = page[at]!;
    if (byte > 0x7f) return utf8.decode(page.subarray(start, end));
    text += String.fromCharCode(byte);
  }
  return text;
}
