/** One field of a made-up event: its line in the format file, and its bytes in the record. */
interface MadeField {
  readonly declaration: string;
  readonly bytes: number;
  readonly signed: boolean;
  readonly place: 'inline' | 'data-loc' | 'rel-loc';
  /** Bytes in the record, or of the dynamic array. */
  readonly content: Buffer;
}

const headBytes = 8;

/** The lines of a format file, and the record. */
export interface MadeRecord {
  readonly lines: readonly string[];
  readonly data: Buffer;
}

/**
 * Fields as a list such as `int a = -5; char name[8] = "x"; __data_loc u8[] bytes = 01 02 ff; long p = 0x10`: each is
 * aligned to its size. Bytes are written in hexadecimal, two digits each; an array of integers with commas after them.
 */
export function madeRecord(id: number, pid: number, list: string): MadeRecord {
  const fields = list
    .split(/;\s*/)
    .filter((text) => text !== '')
    .map(madeField);
  const lines: string[] = [];
  let at = headBytes;
  const places = fields.map((field) => {
    const unit = field.place === 'inline' ? unitOf(field.declaration) : 4;
    at = Math.ceil(at / unit) * unit;
    const offset = at;
    at += field.bytes;
    lines.push(
      `\tfield:${field.declaration};\toffset:${offset};\tsize:${field.bytes};\tsigned:${Number(field.signed)};`,
    );
    return offset;
  });
  const pieces: Buffer[] = [Buffer.alloc(at)];
  for (const [index, field] of fields.entries()) {
    const offset = places[index]!;
    if (field.place === 'inline') {
      if (field.bytes > 0) field.content.copy(pieces[0]!, offset);
      else {
        pieces.push(field.content);
        at += field.content.length;
      }
      continue;
    }
    const from = field.place === 'rel-loc' ? at - offset - 4 : at;
    pieces[0]!.writeUInt32LE(((field.content.length << 16) | from) >>> 0, offset);
    pieces.push(field.content);
    at += field.content.length;
  }
  // the ring pads records to 4 bytes
  pieces.push(Buffer.alloc((4 - (at % 4)) % 4));
  const data = Buffer.concat(pieces);
  data.writeUInt16LE(id, 0);
  data.writeInt32LE(pid, 4);
  return { lines, data };
}

function unitOf(declaration: string): number {
  if (declaration.includes('*')) return 8;
  const type = declaration.replace(/^(?:__data_loc|__rel_loc) /, '');
  if (/\b(?:char|u8|s8|bool|__u8)\b/.test(type)) return 1;
  if (/\b(?:short|u16|s16|__le16)\b/.test(type)) return 2;
  if (/\b(?:long|u64|s64|size_t|sector_t)\b/.test(type)) return 8;
  return 4;
}

function madeField(text: string): MadeField {
  const [, declaration = '', value = ''] = /^(.*?) = ([^]*)$/.exec(text) ?? [];
  const unit = unitOf(declaration);
  const signed = !/\b(?:unsigned|u8|u16|u32|u64|bool|size_t|sector_t)\b|\*/.test(declaration);
  const content = contentOf(value, unit);
  const place = declaration.startsWith('__data_loc')
    ? 'data-loc'
    : declaration.startsWith('__rel_loc')
      ? 'rel-loc'
      : 'inline';
  const count = /\[(\d*)\]/.exec(declaration)?.[1];
  const bytes = place !== 'inline' ? 4 : count === undefined ? unit : Number(count || 0) * unit;
  return { declaration, bytes, signed, place, content };
}

function contentOf(value: string, unit: number): Buffer {
  if (value.startsWith('"')) return Buffer.from(`${String(JSON.parse(value))}\0`, 'latin1');
  if (/^(?:[0-9a-f]{2}(?: |$))+$/.test(value) && !/^\d\d$/.test(value))
    return Buffer.from(value.replaceAll(' ', ''), 'hex');
  return Buffer.concat(value.split(/,\s*/).map((number) => integer(number, unit)));
}

function integer(text: string, bytes: number): Buffer {
  const [, minus, digits = '0'] = /^(-?)(.*)$/.exec(text) ?? [];
  const content = Buffer.alloc(8);
  content.writeBigUInt64LE(BigInt.asUintN(64, minus === '-' ? -BigInt(digits) : BigInt(digits)));
  return content.subarray(0, bytes);
}
