import type { RecordData } from '../../trace/format/record-data.ts';
import { argKind, type PrintArg } from '../format/print-arg.ts';
import type { PrintField } from '../format/print-field.ts';
import { parseConversion, writeText } from '../text/conversion.ts';
import type { TextBuffer } from '../text/text-buffer.ts';
import { dynamicLength, dynamicOffset } from '../value/dynamic.ts';
import { memoryValue, type Value } from '../value/value.ts';
import type { FormatPart } from './format-parts.ts';
import { type PartPrinter, writeHexValue } from './print-pointer.ts';

const plainText = parseConversion('%s');

interface RawField {
  readonly label: Uint8Array;
  readonly print: PartPrinter;
}

/**
 * Prints ` name=value` for each field. A field that has its own conversion in the format is printed with that
 * conversion, and with the `0x` that precedes it there. `parts` and `printers` are those of the format; empty if it
 * cannot be parsed.
 * @param onBinary called when a text field is printed as bytes for the first time; from then on it always is
 */
export function compileRawFields(
  fields: readonly PrintField[],
  parts: readonly FormatPart[],
  printers: readonly PartPrinter[],
  onBinary: () => void = () => {},
): PartPrinter {
  const raw: RawField[] = [];
  // libtraceevent searches for the next field after the last one found, and stops searching at the end
  let from = 0;
  for (const field of fields) {
    const found = field.isArray || from >= parts.length ? undefined : findPart(field, parts, from);
    if (found !== undefined) from = found.index + 1;
    raw.push({
      label: Buffer.from(` ${field.name}=`, 'latin1'),
      print:
        found === undefined ? rawField(field, onBinary) : formatted(printers[found.index]!, found.with0x),
    });
  }
  return (record, out) => {
    const start = out.length;
    for (const { label, print } of raw) {
      out.copy(label);
      print(record, out);
      if (out.isTooLong(start)) return;
    }
  };
}

function formatted(print: PartPrinter, with0x: boolean): PartPrinter {
  if (!with0x) return print;
  return (record, out) => {
    out.string('0x');
    print(record, out);
  };
}

function findPart(
  field: PrintField,
  parts: readonly FormatPart[],
  from: number,
): { readonly index: number; readonly with0x: boolean } | undefined {
  let with0x = false;
  for (let step = 0; step < parts.length; step++) {
    const index = (from + step) % parts.length;
    const part = parts[index]!;
    if (part.kind === 'literal') {
      with0x = part.bytes.at(-2) === 0x30 && part.bytes.at(-1) === 0x78;
      continue;
    }
    let arg: PrintArg = part.arg;
    while (arg.kind === argKind.cast) arg = arg.item!;
    if (arg.kind === argKind.field && arg.field === field) return { index, with0x };
    with0x = false;
  }
  return undefined;
}

function rawField(field: PrintField, onBinary: () => void): PartPrinter {
  if (field.isArray)
    return (record, out) => {
      if (printArray(record, out, field) || !field.isString || field.wasBinary) return;
      field.wasBinary = true;
      onBinary();
    };
  const value = memoryValue(field.offset, field.size);
  return (record, out) => printInteger(record, out, field, value);
}

/** @returns whether the field was printed as text */
function printArray(record: RecordData, out: TextBuffer, field: PrintField): boolean {
  const offset = field.isDynamic ? dynamicOffset(record, field) : field.offset;
  const stored = field.isDynamic ? dynamicLength(record, field) : field.size;
  const start = record.dataOffset + offset;
  const recordEnd = record.dataOffset + record.dataBytes;
  const length = Math.max(0, Math.min(stored, recordEnd - start));
  if (field.isString && !field.wasBinary && isPrintable(record.page, start, start + length)) {
    writeText(out, plainText, record.page, start, recordEnd);
    return true;
  }
  out.string('ARRAY[');
  for (let index = 0; index < length; index++) {
    if (index > 0) out.string(', ');
    out.hexByte(record.page[start + index]!);
  }
  out.string(']');
  return false;
}

/** Whether the bytes up to the first NUL are ASCII text or white space. */
function isPrintable(page: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const byte = page[at]!;
    if (byte === 0) return true;
    const isText = (byte >= 0x20 && byte < 0x7f) || (byte >= 0x09 && byte <= 0x0d);
    if (!isText) return false;
  }
  return true;
}

function printInteger(record: RecordData, out: TextBuffer, field: PrintField, value: Value): void {
  const { size, isLong, isSigned, isPointer } = field;
  const number = value.number(record);
  if (isPointer || (!isSigned && isLong)) {
    out.string('0x');
    writeHexValue(out, value, record, number);
  } else if (!isSigned) {
    out.string(number < 0 ? value.big(record).toString() : String(number));
  } else if (size === 4) {
    if (isLong) {
      out.string('0x');
      out.hex(number);
    } else out.decimal(number | 0);
  } else if (size === 2) {
    const short = (number << 16) >> 16;
    if (short >= 0 && short < 10) out.spaces(1);
    out.decimal(short);
  } else if (size === 1) out.decimal((number << 24) >> 24);
  else out.string(BigInt.asIntN(64, value.big(record)).toString());
}
