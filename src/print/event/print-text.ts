import type { RecordData } from '../../trace/format/record-data.ts';
import { namedValue } from '../format/numbers.ts';
import { argKind, type PrintArg } from '../format/print-arg.ts';
import type { PrintField } from '../format/print-field.ts';
import { type Conversion, withArgument, writeText } from '../text/conversion.ts';
import { bitmaskText, cpumaskText } from '../text/masks.ts';
import type { TextBuffer } from '../text/text-buffer.ts';
import { compileValue } from '../value/compile-value.ts';
import { dynamicLength, dynamicOffset } from '../value/dynamic.ts';
import { low32, memoryValue, tooBig, type Value } from '../value/value.ts';
import type { PrintContext } from './context.ts';
import type { ConversionPart } from './format-parts.ts';
import { writeUnsignedValue } from './print-number.ts';
import { callPrinter, type PartPrinter, writeHexValue } from './print-pointer.ts';

type TextPrinter = (record: RecordData, out: TextBuffer, conversion: Conversion) => void;

const nothing: TextPrinter = () => {};

/** Compiles `%s`. */
export function compileText(part: ConversionPart, context: PrintContext): PartPrinter {
  const { arg, conversion, lengthArg } = part;
  const print = textPrinter(arg, context);
  if (lengthArg === undefined) return (record, out) => print(record, out, conversion);
  const length = compileValue(lengthArg, context);
  return (record, out) => print(record, out, withArgument(conversion, low32(length, record) | 0));
}

function textPrinter(arg: PrintArg, context: PrintContext): TextPrinter {
  switch (arg.kind) {
    case argKind.atom:
    case argKind.bytes:
      return fixedText(arg);
    case argKind.field:
      return arg.field === undefined ? nothing : fieldText(arg.field, context);
    case argKind.flags:
      return flagsText(arg, context);
    case argKind.symbol:
      return symbolText(arg, context);
    case argKind.hex:
    case argKind.hexString:
      return hexText(arg, context);
    case argKind.intArray:
      return arrayText(arg, context);
    case argKind.string:
      return arg.field === undefined ? nothing : dynamicText(arg.field);
    case argKind.bitmask:
    case argKind.cpumask:
      return arg.field === undefined ? nothing : maskText(arg.field, arg.kind === argKind.bitmask);
    case argKind.op:
      return choiceText(arg, context);
    case argKind.call: {
      const print = callPrinter(arg, context);
      return (record, out) => print(record, out);
    }
    default:
      return nothing;
  }
}

function fixedText({ text, slot }: PrintArg): TextPrinter {
  if (slot === undefined) {
    const bytes = Buffer.from(text, 'latin1');
    return (_, out, conversion) => writeText(out, conversion, bytes, 0, bytes.length);
  }
  return (_, out, conversion) => {
    if (slot.start < 0) {
      const digits = Buffer.from(BigInt.asIntN(64, slot.value).toString());
      writeText(out, conversion, digits, 0, digits.length);
    } else writeText(out, conversion, slot.source, slot.start, slot.end);
  };
}

function fieldText(field: PrintField, context: PrintContext): TextPrinter {
  const { offset, size, isArray } = field;
  // a pointer to a kernel string; printk_formats contains the constant strings
  if (!isArray && size === context.longBytes) {
    const value = memoryValue(offset, size);
    return (record, out) => {
      const text = context.printkFormats().get(value.big(record));
      if (text === undefined) writeHexValue(out, value, record, value.number(record));
      else out.copy(text);
    };
  }
  return (record, out, conversion) => {
    const end = size === 0 ? record.dataBytes : Math.min(offset + size, record.dataBytes);
    writeText(
      out,
      conversion,
      record.page,
      record.dataOffset + offset,
      record.dataOffset + Math.max(end, offset),
    );
  };
}

function dynamicText(field: PrintField): TextPrinter {
  return (record, out, conversion) => {
    if (dynamicLength(record, field) === 0) return;
    const start = dynamicOffset(record, field);
    if (start > record.dataBytes) return;
    // up to the NUL, as C does, but never beyond the record
    const end = record.dataOffset + record.dataBytes;
    writeText(out, conversion, record.page, record.dataOffset + start, end);
  };
}

interface Flag {
  readonly big: bigint;
  /** The value if bit operations on numbers can handle it, otherwise -1. */
  readonly small: number;
  readonly text: Uint8Array;
}

function namesOf(arg: PrintArg): Flag[] {
  return arg.names.map(({ value, text }) => {
    const big = namedValue(value);
    return { big, small: big >= 0n && big < 1n << 31n ? Number(big) : -1, text: Buffer.from(text, 'latin1') };
  });
}

function flagsText(arg: PrintArg, context: PrintContext): TextPrinter {
  const value = compileValue(arg.item!, context);
  const flags = namesOf(arg);
  const delimiter = Buffer.from(arg.delimiter, 'latin1');
  const forZero = flags.find(({ big }) => big < 0n);
  const allSmall = flags.every(({ big, small }) => small >= 0 || big < 0n);
  const small = (out: TextBuffer, conversion: Conversion, whole: number): void => {
    let rest = whole;
    let printed = false;
    for (const { small: flag, text } of flags) {
      if (flag <= 0 || (rest & flag) !== flag) continue;
      if (printed) out.copy(delimiter);
      writeText(out, conversion, text, 0, text.length);
      printed = true;
      rest &= ~flag;
    }
    if (rest === 0) return;
    if (printed) out.copy(delimiter);
    out.string('0x');
    out.hex(rest);
  };
  const wide = (out: TextBuffer, conversion: Conversion, whole: bigint): void => {
    let rest = whole;
    let printed = false;
    for (const { big: flag, text } of flags) {
      if (flag <= 0n || (rest & flag) !== flag) continue;
      if (printed) out.copy(delimiter);
      writeText(out, conversion, text, 0, text.length);
      printed = true;
      rest &= ~flag;
    }
    if (rest === 0n) return;
    if (printed) out.copy(delimiter);
    out.string(`0x${rest.toString(16)}`);
  };
  return (record, out, conversion) => {
    const number = value.number(record);
    if (number === 0) {
      if (forZero !== undefined) writeText(out, conversion, forZero.text, 0, forZero.text.length);
    } else if (allSmall && number > 0 && number < 2 ** 31) small(out, conversion, number);
    else wide(out, conversion, value.big(record));
  };
}

function symbolText(arg: PrintArg, context: PrintContext): TextPrinter {
  const value = compileValue(arg.item!, context);
  const bySmall = new Map<number, Uint8Array>();
  const byBig = new Map<bigint, Uint8Array>();
  for (const { big, text } of namesOf(arg)) {
    if (!byBig.has(big)) byBig.set(big, text);
    if (big >= 0n && big <= BigInt(Number.MAX_SAFE_INTEGER) && !bySmall.has(Number(big)))
      bySmall.set(Number(big), text);
  }
  return (record, out, conversion) => {
    const number = value.number(record);
    const text = number === tooBig ? byBig.get(BigInt.asIntN(64, value.big(record))) : bySmall.get(number);
    if (text !== undefined) writeText(out, conversion, text, 0, text.length);
    else {
      out.string('0x');
      writeHexValue(out, value, record, number);
    }
  };
}

/** Where the bytes of a field or a dynamic array begin in the record; undefined for other arguments. */
function placeOf(arg: PrintArg): ((record: RecordData) => number) | undefined {
  const { kind, field } = arg;
  if (field === undefined) return undefined;
  if (kind === argKind.dynamicArray) return (record) => dynamicOffset(record, field);
  return kind === argKind.field ? () => field.offset : undefined;
}

/** A count from the guest, limited to the number of `size`-byte elements between `start` and the record's end. */
function countIn(record: RecordData, value: Value, start: number, size: number): number {
  const number = low32(value, record);
  return Math.max(0, Math.min(number, Math.floor((record.dataBytes - start) / size)));
}

function hexText(arg: PrintArg, context: PrintContext): TextPrinter {
  const place = placeOf(arg.item!);
  const size = compileValue(arg.count!, context);
  if (place === undefined) return nothing;
  const withSpaces = arg.kind === argKind.hex;
  return (record, out) => {
    const start = place(record);
    const count = countIn(record, size, start, 1);
    for (let index = 0; index < count; index++) {
      if (withSpaces && index > 0) out.string(' ');
      out.hexByte(record.page[record.dataOffset + start + index]!);
    }
  };
}

function arrayText(arg: PrintArg, context: PrintContext): TextPrinter {
  const place = placeOf(arg.item!);
  const count = compileValue(arg.count!, context);
  const elementSize = compileValue(arg.elementSize!, context);
  if (place === undefined) return nothing;
  return (record, out) => {
    const start = place(record);
    const asked = low32(elementSize, record) | 0;
    const isKnown = asked === 1 || asked === 2 || asked === 4 || asked === 8;
    const bytes = isKnown ? asked : 1;
    const elements = countIn(record, count, start, bytes);
    for (let index = 0; index < elements; index++) {
      if (index > 0) out.string(' ');
      const element = memoryValue(start + index * bytes, bytes);
      // from here on, libtraceevent advances one byte at a time
      if (!isKnown && index === 0) {
        out.string(`BAD SIZE:${asked} 0x`);
        writeHexValue(out, element, record, element.number(record));
      } else writeUnsignedValue(out, element, record);
    }
  };
}

function maskText(field: PrintField, isBitmask: boolean): TextPrinter {
  return (record, out, conversion) => {
    const start = record.dataOffset + dynamicOffset(record, field);
    const end = Math.min(start + dynamicLength(record, field), record.dataOffset + record.dataBytes);
    const bytes = record.page.subarray(start, Math.max(start, end));
    const text = Buffer.from(isBitmask ? bitmaskText(bytes) : cpumaskText(bytes));
    writeText(out, conversion, text, 0, text.length);
  };
}

/** `condition ? text : text` */
function choiceText(arg: PrintArg, context: PrintContext): TextPrinter {
  const { text, left, right } = arg;
  if (text !== '?' || left === undefined || right?.left === undefined || right.right === undefined)
    return nothing;
  const condition = compileValue(left, context);
  const yes = textPrinter(right.left, context);
  const no = textPrinter(right.right, context);
  return (record, out, conversion) => (condition.number(record) === 0 ? no : yes)(record, out, conversion);
}
