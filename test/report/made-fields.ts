import type { FieldValue } from './cases/case.ts';

/** One field of a made-up event: its line in the format file, and its bytes in the record. */
interface MadeField {
  readonly declaration: string;
  readonly offset: number;
  /** Bytes in the fixed part of a record; 0 for an array at its end. */
  readonly bytes: number;
  readonly unit: number;
  readonly place: 'inline' | 'data-loc' | 'rel-loc';
  /** The value in the list. */
  readonly content: Buffer;
}

const headBytes = 8;

/** The lines of a format file, and the records. */
export interface MadeFields {
  readonly lines: readonly string[];
  /** @param values instead of those in the list; those that are left out are 0 */
  record(id: number, pid: number, values?: readonly FieldValue[]): Buffer;
}

/**
 * Fields as a list such as `int a = -5; char name[8] = "x"; __data_loc u8[] bytes = 01 02 ff; long p = 0x10`, the values
 * of which may be left out: each is aligned to its size. Bytes are written in hexadecimal, two digits each; an array of
 * integers with commas after them.
 */
export function madeFields(list: string): MadeFields {
  let end = headBytes;
  const lines: string[] = [];
  const fields = list
    .split(/;\s*/)
    .filter((text) => text !== '')
    .map((text) => {
      const field = madeField(text, end);
      const { declaration, offset, bytes } = field;
      end = offset + bytes;
      const signed = !/\b(?:unsigned|u8|u16|u32|u64|bool|size_t|sector_t)\b|\*/.test(declaration);
      lines.push(`\tfield:${declaration};\toffset:${offset};\tsize:${bytes};\tsigned:${Number(signed)};`);
      return field;
    });
  return { lines, record: (id, pid, values) => recordOf(fields, end, id, pid, values) };
}

function recordOf(
  fields: readonly MadeField[],
  fixedBytes: number,
  id: number,
  pid: number,
  values?: readonly FieldValue[],
): Buffer {
  const fixed = Buffer.alloc(fixedBytes);
  const pieces: Buffer[] = [fixed];
  let end = fixedBytes;
  const append = (content: Buffer): void => {
    pieces.push(content);
    end += content.length;
  };
  for (const [index, { offset, bytes, unit, place, content }] of fields.entries()) {
    const value = values === undefined ? content : (values[index] ?? 0);
    const own = typeof value === 'object' || typeof value === 'string';
    const data = bytesOf(value, own ? unit : Math.max(unit, bytes));
    if (place === 'inline' && bytes === 0) append(data);
    else if (place === 'inline' || !own) data.copy(fixed, offset, 0, bytes);
    else {
      const from = place === 'rel-loc' ? end - offset - 4 : end;
      fixed.writeUInt32LE(((data.length << 16) | from) >>> 0, offset);
      append(data);
    }
  }
  // the ring pads records to 4 bytes
  append(Buffer.alloc(-end & 3));
  const data = Buffer.concat(pieces);
  data.writeUInt16LE(id, 0);
  data.writeInt32LE(pid, 4);
  return data;
}

function madeField(text: string, end: number): MadeField {
  const [, declaration = '', value = '0'] = /^(.*?)(?: = ([^]*))?$/.exec(text) ?? [];
  const unit = unitOf(declaration);
  const place = declaration.startsWith('__data_loc')
    ? 'data-loc'
    : declaration.startsWith('__rel_loc')
      ? 'rel-loc'
      : 'inline';
  const count = /\[(\d*)\]/.exec(declaration)?.[1];
  const bytes = place !== 'inline' ? 4 : count === undefined ? unit : Number(count || 0) * unit;
  const alignment = place === 'inline' ? unit : 4;
  const offset = Math.ceil(end / alignment) * alignment;
  return { declaration, offset, bytes, unit, place, content: contentOf(value, unit) };
}

function unitOf(declaration: string): number {
  if (declaration.includes('*')) return 8;
  const type = declaration.replace(/^(?:__data_loc|__rel_loc) /, '');
  if (/\b(?:char|u8|s8|bool|__u8)\b/.test(type)) return 1;
  if (/\b(?:short|u16|s16|__le16)\b/.test(type)) return 2;
  if (/\b(?:long|u64|s64|size_t|sector_t)\b/.test(type)) return 8;
  return 4;
}

/** A value in a list of fields. */
function contentOf(value: string, unit: number): Buffer {
  if (value.startsWith('"')) return Buffer.from(`${String(JSON.parse(value))}\0`, 'latin1');
  if (/^(?:[0-9a-f]{2}(?: |$))+$/.test(value) && !/^\d\d$/.test(value))
    return Buffer.from(value.replaceAll(' ', ''), 'hex');
  return Buffer.concat(
    value.split(/,\s*/).map((number) => {
      const [, minus, digits = '0'] = /^(-?)(.*)$/.exec(number) ?? [];
      return bytesOf(minus === '-' ? -BigInt(digits) : BigInt(digits), unit);
    }),
  );
}

/** @param bytes of an integer */
function bytesOf(value: FieldValue | Buffer, bytes: number): Buffer {
  if (typeof value === 'string') return Buffer.from(value, 'latin1');
  if (typeof value === 'object') return Buffer.from(value);
  const content = Buffer.alloc(8);
  content.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)));
  return content.subarray(0, bytes);
}
