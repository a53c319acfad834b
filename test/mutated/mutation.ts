import type { Random } from './random.ts';

const edges = [
  0n,
  1n,
  2n,
  7n,
  0x7fn,
  0xffn,
  0xffffn,
  0x10000n,
  0xf_ffffn,
  0x7fff_ffffn,
  0x8000_0000n,
  0xffff_fff0n,
  0xffff_ffffn,
  0x1_0000_0000n,
  (1n << 53n) - 1n,
  1n << 53n,
  (1n << 63n) - 1n,
  1n << 63n,
  (1n << 64n) - 8n,
  (1n << 64n) - 1n,
];

/** Pieces of format files that ask for much, or that end in the middle of something. */
const snippets = [
  '((((((((',
  '))))',
  '?:?:?:',
  '? 1 :',
  '%*d%*d%*s',
  '%4096d%4096s',
  '%99999999999d',
  '%.*s',
  '%*ph',
  '%pI6c',
  '%pISpfc',
  '%pM%pU',
  '%ps%pF',
  '%hhn%Lf%',
  '[0][1]',
  '[~0]',
  '<<63>>64',
  '/0%0',
  '!~-+',
  '"',
  '\\',
  "'",
  '\0',
  '\n',
  '\x80\xff',
  '\x1b[2J',
  '__get_str(',
  '__get_dynamic_array(',
  '__get_dynamic_array_len(',
  '__print_symbolic(',
  '__print_flags(',
  '__print_hex(',
  '__print_array(',
  '__get_bitmask(',
  'sizeof(',
  'REC->',
  '(unsigned long)',
  '__data_loc char[] ',
  '__rel_loc u8[] ',
  'offset:4294967295;',
  'offset:0;',
  'size:0;',
  'size:8;',
  'size:1048576;',
  'ID: 65535',
  'ID: 0',
  'signed:1;',
];

/** What a base consists of: the trace.dat, or the files of a recording's directory. */
export interface Base {
  readonly name: string;
  readonly files: ReadonlyMap<string, Buffer>;
}

/** Changes one file of the base a few times. @returns its name and bytes */
export function mutated({ files }: Base, random: Random): { readonly name: string; readonly bytes: Buffer } {
  const [name, whole] = random.pick([...files]);
  let bytes: Buffer = Buffer.from(whole);
  for (let changes = 1 + random.below(3); changes > 0 && bytes.length > 0; changes--)
    bytes = changed(bytes, random);
  return { name, bytes };
}

function changed(bytes: Buffer, random: Random): Buffer {
  const at = place(bytes, random);
  switch (random.below(12)) {
    case 0:
      bytes[at] = bytes[at]! ^ (1 << random.below(8));
      return bytes;
    case 1:
      bytes[at] = random.below(256);
      return bytes;
    case 2:
      return random.below(3) === 0 ? bytes.subarray(0, at) : bytes;
    case 3: {
      const from = place(bytes, random);
      const piece = Buffer.from(bytes.subarray(from, from + 1 + random.below(4096)));
      piece.copy(bytes, at);
      return bytes;
    }
    case 4: {
      if (random.below(4) > 0) return withNumber(bytes, at, 4, random);
      const from = place(bytes, random);
      const piece = bytes.subarray(from, from + 1 + random.below(300));
      return Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at)]);
    }
    case 5:
      if (random.below(4) > 0) return withNumber(bytes, at, 8, random);
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random.below(64))]);
    case 6:
    case 7:
      bytes.write(random.pick(snippets), at, 'latin1');
      return bytes;
    case 8: {
      const start = digitsAfter(bytes, at);
      if (start >= 0) bytes.write(random.pick(['0', '9', '99', '65535', '1048576']), start, 'latin1');
      return bytes;
    }
    case 9:
      return withNumber(bytes, at, 4, random);
    case 10:
      return withNumber(bytes, at, 8, random);
    default:
      return withNumber(bytes, at, 2, random);
  }
}

/** Beginning and end have the headers, options and tables of pages; in between are formats and pages. */
function place(bytes: Buffer, random: Random): number {
  const near = Math.min(bytes.length, 700);
  switch (random.below(10)) {
    case 0:
      return random.below(near);
    case 1:
      return bytes.length - 1 - random.below(near);
    default:
      return random.below(bytes.length);
  }
}

/** The numbers are not aligned in a trace.dat, except in its pages. */
function withNumber(bytes: Buffer, near: number, size: 2 | 4 | 8, random: Random): Buffer {
  const at = random.below(2) === 0 ? near : near - (near % 4);
  if (at + size > bytes.length) return bytes;
  const edge = BigInt.asUintN(size * 8, random.pick([...edges, BigInt(bytes.length), BigInt(at)]));
  for (let index = 0; index < size; index++) bytes[at + index] = Number((edge >> BigInt(index * 8)) & 0xffn);
  return bytes;
}

function digitsAfter(bytes: Buffer, at: number): number {
  for (let index = at; index < Math.min(bytes.length, at + 200); index++)
    if (bytes[index]! >= 0x30 && bytes[index]! <= 0x39) return index;
  return -1;
}
