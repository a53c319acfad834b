/** The guest kernel's functions, by index. A function's name is `text[nameStart..nameEnd)`. */
export interface FunctionMap {
  /** The symbols' text, as in `/proc/kallsyms`. */
  readonly text: Uint8Array;
  /** Index of the function at the address high x 2^32 + low; -1 if there is none. */
  readonly find: (high: number, low: number) => number;
  readonly nameStart: (index: number) => number;
  readonly nameEnd: (index: number) => number;
  /** End of the symbol's line, which may name a module after the function. */
  readonly lineEnd: (index: number) => number;
  readonly address: (index: number) => bigint;
  /** Address of the first function of that name. */
  readonly addressOf: (name: string) => bigint | undefined;
  readonly size: number;
}

const space = 0x20;
const newline = 0x0a;
const dollar = 0x24;
/** Limit for the length of a name; the kernel's is 512 (KSYM_NAME_LEN). A longer name is cut there. */
const maxNameBytes = 1024;
/** Limit for the number of symbols; Debian's kernel has 200,000. */
const maxSymbols = 1 << 21;

/**
 * Parses kallsyms. Like libtraceevent: skips absolute symbols (x86's offsets of per-CPU variables) and names that
 * begin with `$` (mapping symbols in arm code); stops at an invalid line. Sorts and searches like
 * libtraceevent, to find the same one of several symbols at one address. Takes about 50 ms for a typical kernel.
 */
export function parseFunctions(text: Uint8Array): FunctionMap {
  const high: number[] = [];
  const low: number[] = [];
  const start: number[] = [];
  const end: number[] = [];
  const line: SymbolLine = { high: 0, low: 0, isSkipped: false, nameStart: 0, nameEnd: 0, next: 0 };
  while (line.next < text.length && start.length < maxSymbols && readLine(text, line)) {
    if (line.nameStart === line.nameEnd || line.isSkipped) continue;
    high.push(line.high);
    low.push(line.low);
    start.push(line.nameStart);
    end.push(line.nameEnd);
  }
  // the newest entry comes first in libtraceevent's list, and its sort is stable
  const order = high.map((_, index) => index);
  order.sort((a, b) => high[a]! - high[b]! || low[a]! - low[b]! || b - a);
  const sortedHigh = Uint32Array.from(order, (index) => high[index]!);
  const sortedLow = Uint32Array.from(order, (index) => low[index]!);
  const count = order.length;
  const isBefore = (aHigh: number, aLow: number, index: number): boolean =>
    index < count &&
    (aHigh < sortedHigh[index]! || (aHigh === sortedHigh[index] && aLow < sortedLow[index]!));
  let byName: Map<string, number> | undefined;
  const indexByName = (): Map<string, number> => {
    const bytes = Buffer.from(text.buffer, text.byteOffset, text.length);
    const names = new Map<string, number>();
    for (const index of order) {
      const name = bytes.toString('latin1', start[index], end[index]);
      if (!names.has(name)) names.set(name, index);
    }
    return names;
  };
  return {
    text,
    size: count,
    find: (keyHigh, keyLow) => {
      let from = 0;
      let to = count;
      while (from < to) {
        const middle = (from + to) >>> 1;
        if (sortedHigh[middle] === keyHigh && sortedLow[middle] === keyLow) return middle;
        if (isBefore(keyHigh, keyLow, middle)) to = middle;
        else if (isBefore(keyHigh, keyLow, middle + 1)) return middle;
        else from = middle + 1;
      }
      return -1;
    },
    nameStart: (index) => start[order[index]!]!,
    nameEnd: (index) => end[order[index]!]!,
    lineEnd: (index) => {
      const newlineAt = text.indexOf(newline, end[order[index]!]);
      return newlineAt < 0 ? text.length : newlineAt;
    },
    address: (index) => (BigInt(sortedHigh[index]!) << 32n) | BigInt(sortedLow[index]!),
    addressOf: (name) => {
      byName ??= indexByName();
      const found = byName.get(name);
      return found === undefined ? undefined : (BigInt(high[found]!) << 32n) | BigInt(low[found]!);
    },
  };
}

/** A line of kallsyms; one object is reused for all lines. */
interface SymbolLine {
  high: number;
  low: number;
  isSkipped: boolean;
  nameStart: number;
  nameEnd: number;
  /** Where the next line begins. */
  next: number;
}

/** Reads the next line, `ffffffff81000000 T name\t[module]`. @returns false if it has another form */
function readLine(text: Uint8Array, line: SymbolLine): boolean {
  let at = line.next;
  while (text[at] === space) at++;
  if (at >= text.length || text[at] === 0) return false;
  if (text[at] === newline) {
    line.isSkipped = true;
    line.next = at + 1;
    return true;
  }
  let high = 0;
  let low = 0;
  let digits = 0;
  for (; digits < 16; digits++, at++) {
    const digit = hexDigit(text[at]!);
    if (digit < 0) break;
    high = ((high << 4) | (low >>> 28)) >>> 0;
    low = ((low << 4) | digit) >>> 0;
  }
  if (digits === 0) return false;
  while (text[at] === space) at++;
  const type = text[at++];
  while (text[at] === space) at++;
  const nameStart = at;
  while (at < text.length && text[at]! > space) at++;
  const nameEnd = Math.min(at, nameStart + maxNameBytes);
  if (type === undefined || nameEnd === nameStart) return false;
  // nearly always the name is the last of the line
  if (text[at] !== newline) {
    const newlineAt = text.indexOf(newline, at);
    at = newlineAt < 0 ? text.length : newlineAt;
  }
  const isAbsolute = type === 0x41 || type === 0x61;
  line.high = high;
  line.low = low;
  line.isSkipped = isAbsolute || text[nameStart] === dollar;
  line.nameStart = nameStart;
  line.nameEnd = nameEnd;
  line.next = at + 1;
  return true;
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
