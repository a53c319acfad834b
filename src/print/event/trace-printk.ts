import type { RecordData } from '../../trace/format/record-data.ts';
import { argKind, PrintArg, type Slot } from '../format/print-arg.ts';
import type { PrintField, PrintFields } from '../format/print-field.ts';
import { readMemory } from '../value/value.ts';
import { compilePart, printParts } from './compile-parts.ts';
import type { PrintContext } from './context.ts';
import { formatParts } from './format-parts.ts';
import type { PartPrinter } from './print-pointer.ts';

/** A format string of trace_printk, compiled for one sequence of arguments. */
interface Compiled {
  readonly printers: readonly PartPrinter[];
  readonly failed: boolean;
}

const noBytes = new Uint8Array(0);

/** Limit for the number of cached formats: the guest chooses their addresses, so there may be any number of them. */
const maxCompiled = 10_000;

/**
 * Prints `ftrace:bprint`, the binary form of trace_printk: the record holds the address of the format string and the
 * arguments as packed by vbin_printf. `fail` is called if a record has fewer arguments than its format.
 */
export function compileTracePrintk(
  fields: PrintFields,
  context: PrintContext,
  fail: () => void,
): PartPrinter | undefined {
  const ip = fields.find('ip');
  const format = fields.find('fmt');
  const buffer = fields.find('buf');
  if (ip === undefined || format === undefined || buffer === undefined) return undefined;
  const slots: Slot[] = [];
  const compiled = new Map<string, Compiled>();
  return (record, out) => {
    const address = readMemory(record, format.offset, format.size);
    const text = context.printkFormats().get(address);
    const formatText =
      text === undefined
        ? `%ps: (NO FORMAT FOUND at ${address.toString(16)})\\n`
        : `%ps: ${Buffer.from(text).toString('latin1')}`;
    const kinds = decode(record, ip, buffer, formatText, context.longBytes, slots);
    const key = `${address} ${kinds}`;
    let found = compiled.get(key);
    if (found === undefined) {
      if (compiled.size >= maxCompiled) compiled.clear();
      found = compileFor(formatText, kinds, slots, context);
      compiled.set(key, found);
    }
    printParts(found.printers, record, out);
    if (found.failed) fail();
  };
}

function compileFor(text: string, kinds: string, slots: readonly Slot[], context: PrintContext): Compiled {
  const args = Array.from(kinds, (kind, index) => {
    const arg = new PrintArg();
    arg.kind = kind === 's' ? argKind.bytes : argKind.atom;
    arg.slot = slots[index];
    return arg;
  });
  const { parts, failed } = formatParts(text, args);
  return { printers: parts.map((part) => compilePart(part, context)), failed };
}

/** Decodes the arguments into `slots`. @returns one letter per argument: `n` number, `s` text */
function decode(
  record: RecordData,
  ip: PrintField,
  buffer: PrintField,
  format: string,
  longBytes: number,
  slots: Slot[],
): string {
  let kinds = '';
  const slot = (): Slot => {
    const index = kinds.length;
    slots[index] ??= { value: 0n, source: noBytes, start: -1, end: -1 };
    return slots[index];
  };
  const putNumber = (value: bigint): void => {
    const place = slot();
    place.value = value;
    place.start = -1;
    kinds += 'n';
  };
  putNumber(readMemory(record, ip.offset, ip.size));
  let data = buffer.offset;
  const putText = (): void => {
    const place = slot();
    const start = record.dataOffset + data;
    const end = record.dataOffset + record.dataBytes;
    let stop = start;
    while (stop < end && record.page[stop] !== 0) stop++;
    place.source = record.page;
    place.start = start;
    place.end = stop;
    data += stop - start + 1;
    kinds += 's';
  };
  const takeNumber = (bytes: number): void => {
    // arguments of any size are aligned to four bytes
    data = (data + 3) & ~3;
    putNumber(readMemory(record, data, bytes));
    data += bytes;
  };
  // the first five characters are "%ps: "
  for (let at = 5; at < format.length && data < record.dataBytes; at++) {
    if (format[at] !== '%') continue;
    let longs = 0;
    for (at++; at < format.length; at++) {
      const character = format[at]!;
      if (character === 'l') longs++;
      else if (character === 'L') longs = 2;
      else if (character === 'z' || character === 'Z') longs = 1;
      else if (character === '*') takeNumber(4);
      else if (!/[0-9.#+]/.test(character)) break;
    }
    const conversion = format[at];
    if (conversion === 's') putText();
    else if (conversion === 'p') {
      const extension = /^[a-zA-Z0-9]/.exec(format.slice(at + 1))?.[0];
      if (extension !== undefined) at++;
      const isValue =
        extension === undefined ||
        'sSx'.includes(extension) ||
        ('fF'.includes(extension) && format[at + 1] !== 'w');
      const byte = data < record.dataBytes ? record.page[record.dataOffset + data]! : 0;
      // since 5.0, the kernel stores other pointers as formatted text
      if (!isValue && byte >= 0x20 && byte < 0x7f) putText();
      else takeNumber(longBytes);
    } else if (conversion !== undefined && 'duixXo'.includes(conversion))
      takeNumber(longs === 0 ? 4 : longs === 1 ? longBytes : longs === 2 ? 8 : longs);
  }
  return kinds;
}
