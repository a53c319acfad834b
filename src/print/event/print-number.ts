import type { RecordData } from '../../trace/format/record-data.ts';
import { withArgument, writeInteger } from '../text/conversion.ts';
import type { TextBuffer } from '../text/text-buffer.ts';
import { compileValue } from '../value/compile-value.ts';
import { low32, tooBig, type Value } from '../value/value.ts';
import type { PrintContext } from './context.ts';
import type { ConversionPart } from './format-parts.ts';
import { type PartPrinter, writeHexValue } from './print-pointer.ts';

const twoTo32 = 2 ** 32;

/** Compiles `%d %i %u %x %X %o %c`. Truncates the value to the C type given by the length modifiers. */
export function compileNumber(part: ConversionPart, context: PrintContext): PartPrinter {
  const { arg, conversion, size, lengthArg } = part;
  const { letter } = conversion;
  const isSigned = letter === 'd' || letter === 'i';
  const value = compileValue(arg, context);
  if (conversion.isPlain && lengthArg === undefined && letter !== 'c') {
    if (size > 0 && isSigned && value.wordsAt !== undefined) return signedWords(value.wordsAt, value);
    if (letter === 'x')
      return size > 0 ? wideHex(value) : (record, out) => out.hex(narrow(value, record, size));
    if (letter === 'u')
      return size > 0 ? wideUnsigned(value) : (record, out) => out.decimal(narrow(value, record, size));
    if (isSigned && size <= 0)
      return (record, out) => out.decimal(signExtended(narrow(value, record, size), size));
  }
  const length = lengthArg && compileValue(lengthArg, context);
  return (record, out) => {
    const actual = length === undefined ? conversion : withArgument(conversion, low32(length, record) | 0);
    writeInteger(out, actual, integerOf(value, record, size, isSigned));
  };
}

function integerOf(value: Value, record: RecordData, size: number, isSigned: boolean): number | bigint {
  if (size <= 0) {
    const cut = narrow(value, record, size);
    return isSigned ? signExtended(cut, size) : cut;
  }
  const number = value.number(record);
  if (number !== tooBig) return number;
  const big = value.big(record);
  return isSigned ? BigInt.asIntN(64, big) : big;
}

/** The low 32, 16 or 8 bits, unsigned. */
function narrow(value: Value, record: RecordData, size: number): number {
  const word = low32(value, record);
  if (size === 0) return word;
  return size === -1 ? word & 0xffff : word & 0xff;
}

function signExtended(word: number, size: number): number {
  if (size === 0) return word | 0;
  return size === -1 ? (word << 16) >> 16 : (word << 24) >> 24;
}

/** A signed 8-byte value. Small negative numbers (typically errnos) are printed without a bigint. */
function signedWords(offset: number, value: Value): PartPrinter {
  return (record, out) => {
    if (offset + 8 > record.dataBytes) {
      out.decimal(0);
      return;
    }
    const at = record.dataOffset + offset;
    const high = record.view.getInt32(at + 4, true);
    if (high >= -0x200000 && high < 0x200000) out.decimal(high * twoTo32 + record.view.getUint32(at, true));
    else out.string(BigInt.asIntN(64, value.big(record)).toString());
  };
}

function wideHex(value: Value): PartPrinter {
  const { wordsAt } = value;
  if (wordsAt !== undefined)
    return (record, out) => {
      const at = record.dataOffset + wordsAt;
      if (wordsAt + 8 > record.dataBytes) out.hex(0);
      else out.hexWords(record.view.getUint32(at + 4, true), record.view.getUint32(at, true));
    };
  return (record, out) => writeHexValue(out, value, record, value.number(record));
}

function wideUnsigned(value: Value): PartPrinter {
  return (record, out) => writeUnsignedValue(out, value, record);
}

export function writeUnsignedValue(out: TextBuffer, value: Value, record: RecordData): void {
  const number = value.number(record);
  if (number === tooBig) out.string(value.big(record).toString());
  else out.decimal(number);
}
