import type { TextBuffer } from './text-buffer.ts';

const colon = 0x3a;
const dot = 0x2e;
const dash = 0x2d;

/** `%pI4`, with leading zeros `%pi4`. */
export function writeIpv4(
  out: TextBuffer,
  page: Uint8Array,
  at: number,
  leadingZeros: boolean,
  reverse: boolean,
): void {
  for (let index = 0; index < 4; index++) {
    if (index > 0) out.byte(dot);
    out.zeroPadded(page[at + (reverse ? 3 - index : index)]!, leadingZeros ? 3 : 1);
  }
}

/** `%pI6`, without colons `%pi6`. */
export function writeIpv6(out: TextBuffer, page: Uint8Array, at: number, colons: boolean): void {
  for (let index = 0; index < 16; index += 2) {
    if (colons && index > 0) out.byte(colon);
    out.hexByte(page[at + index]!);
    out.hexByte(page[at + index + 1]!);
  }
}

/** `%pI6c`: the longest run of zeros as `::`; an embedded IPv4 address in dotted form. */
export function writeCompressedIpv6(out: TextBuffer, page: Uint8Array, at: number): void {
  const words = Array.from(
    { length: 8 },
    (_, index) => (page[at + index * 2]! << 8) | page[at + index * 2 + 1]!,
  );
  const isMapped = words.slice(0, 5).every((word) => word === 0) && words[5] === 0xffff;
  const isIsatap = (words[4]! | 0x0200) === 0x0200 && words[5] === 0x5efe;
  const hasIpv4 = isMapped || isIsatap;
  const range = hasIpv4 ? 6 : 8;
  const run = longestZeroRun(words.slice(0, range));
  let needsColon = false;
  for (let index = 0; index < range; index++) {
    if (index === run.start) {
      if (needsColon || index === 0) out.byte(colon);
      out.byte(colon);
      needsColon = false;
      index += run.length - 1;
      continue;
    }
    if (needsColon) out.byte(colon);
    out.hex(words[index]!);
    needsColon = true;
  }
  if (!hasIpv4) return;
  if (needsColon) out.byte(colon);
  writeIpv4(out, page, at + 12, false, false);
}

/** The first of the longest runs of at least two zeros; start -1 if there is none. */
function longestZeroRun(words: readonly number[]): { readonly start: number; readonly length: number } {
  let best = { start: -1, length: 1 };
  for (let start = 0; start < words.length; start++) {
    let length = 0;
    while (words[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  return best;
}

/** Bytes as hexadecimal numbers with `separator` between them. */
export function writeBytes(
  out: TextBuffer,
  page: Uint8Array,
  at: number,
  count: number,
  separator: string,
): void {
  for (let index = 0; index < count; index++) {
    if (index > 0) out.string(separator);
    out.hexByte(page[at + index]!);
  }
}

/** `%pM`, `%pMF` with dashes, `%pm` without separators, `%pMR` in reverse order. */
export function writeMac(out: TextBuffer, page: Uint8Array, at: number, extension: string): void {
  const bytes = page.subarray(at, at + 6);
  const separator = extension.startsWith('m') ? '' : extension === 'MF' ? '-' : ':';
  writeBytes(out, extension[1] === 'R' ? bytes.toReversed() : bytes, 0, 6, separator);
}

const uuidOrder = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
const guidOrder = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];

/** `%pU` and `%pUb`; little-endian with `l`; upper case with `L` and `B`. */
export function writeUuid(out: TextBuffer, page: Uint8Array, at: number, letter: string): void {
  const order = letter === 'l' || letter === 'L' ? guidOrder : uuidOrder;
  const upper = letter === 'L' || letter === 'B';
  for (const [index, from] of order.entries()) {
    const text = page[at + from]!.toString(16).padStart(2, '0');
    out.string(upper ? text.toUpperCase() : text);
    if (index === 3 || index === 5 || index === 7 || index === 9) out.byte(dash);
  }
}
