import type { RecordData } from '../../trace/format/record-data.ts';
import { argKind, type PrintArg } from '../format/print-arg.ts';
import type { PrintField } from '../format/print-field.ts';
import {
  writeBytes,
  writeCompressedIpv6,
  writeIpv4,
  writeIpv6,
  writeMac,
  writeUuid,
} from '../text/addresses.ts';
import type { TextBuffer } from '../text/text-buffer.ts';
import { compileValue, functionArgs } from '../value/compile-value.ts';
import { dynamicLength, dynamicOffset } from '../value/dynamic.ts';
import { tooBig, type Value } from '../value/value.ts';
import type { PrintContext } from './context.ts';
import type { ConversionPart } from './format-parts.ts';

/** Writes a part of an event's text. */
export type PartPrinter = (record: RecordData, out: TextBuffer) => void;

const twoTo32 = 2 ** 32;

/** Compiles `%p` and its extensions. */
export function compilePointer(part: ConversionPart, context: PrintContext): PartPrinter {
  const { arg, spec } = part;
  if (arg.kind === argKind.bytes) {
    const { slot } = arg;
    return (_, out) => slot && out.copy(slot.source, slot.start, slot.end);
  }
  const extension = spec.slice(spec.indexOf('p') + 1);
  switch (extension[0]) {
    case 'F':
    case 'f':
    case 'S':
    case 's':
      return functionPrinter(compileValue(arg, context), context, 'FS'.includes(extension[0]));
    case 'M':
    case 'm':
      return fieldPrinter(arg, context, 6, 'INVALIDMAC', (page, at, out) =>
        writeMac(out, page, at, extension),
      );
    case 'I':
    case 'i':
      return internetPrinter(arg, context, extension);
    case 'U':
      return fieldPrinter(arg, context, 16, 'INVALIDUUID', (page, at, out) =>
        writeUuid(out, page, at, extension[1] ?? ''),
      );
    case 'h':
      return rawBufferPrinter(part, context, extension);
    default: {
      const value = compileValue(arg, context);
      return (record, out) => writeAddress(out, value, record);
    }
  }
}

/** `%p` as glibc prints it. */
function writeAddress(out: TextBuffer, value: Value, record: RecordData): void {
  const number = value.number(record);
  if (number === 0) {
    out.string('(nil)');
    return;
  }
  out.string('0x');
  writeHexValue(out, value, record, number);
}

export function writeHexValue(out: TextBuffer, value: Value, record: RecordData, number: number): void {
  const { wordsAt } = value;
  if (wordsAt !== undefined && number !== 0) {
    const at = record.dataOffset + wordsAt;
    out.hexWords(record.view.getUint32(at + 4, true), record.view.getUint32(at, true));
  } else if (number === tooBig) {
    const big = value.big(record);
    out.hexWords(Number(big >> 32n), Number(big & 0xffffffffn));
  } else {
    out.hex(number);
  }
}

/** A function's name, with `+0x…` if `offset` is set; the address if no function contains it. */
function functionPrinter(value: Value, context: PrintContext, offset: boolean): PartPrinter {
  return (record, out) => {
    const number = value.number(record);
    const map = context.functionMap();
    let index: number;
    if (number === tooBig) {
      const big = value.big(record);
      index = map.find(Number(big >> 32n), Number(big & 0xffffffffn));
    } else {
      index = map.find(Math.floor(number / twoTo32), number % twoTo32);
    }
    if (index >= 0) {
      out.copy(map.text, map.nameStart(index), map.nameEnd(index));
      if (offset) out.string(`+0x${(value.big(record) - map.address(index)).toString(16)}`);
      return;
    }
    out.string('0x');
    writeHexValue(out, value, record, number);
  };
}

type FieldWriter = (page: Uint8Array, at: number, out: TextBuffer) => void;

/** Removes casts. */
function uncast(arg: PrintArg): PrintArg {
  let inner = arg;
  while (inner.kind === argKind.cast) inner = inner.item!;
  return inner;
}

/** A field of exactly `size` bytes. */
function fieldPrinter(
  arg: PrintArg,
  context: PrintContext,
  size: number,
  invalid: string,
  write: FieldWriter,
): PartPrinter {
  if (arg.kind === argKind.call) return callPrinter(arg, context);
  const { kind, field } = uncast(arg);
  if (kind !== argKind.field) return (_, out) => out.string(`ARG TYPE NOT FIELD BUT ${kind}`);
  if (field === undefined) return () => {};
  if (field.size !== size) return (_, out) => out.string(invalid);
  return (record, out) => {
    if (field.offset + size <= record.dataBytes) write(record.page, record.dataOffset + field.offset, out);
  };
}

/** A call of a function that writes text. */
export function callPrinter(arg: PrintArg, context: PrintContext): PartPrinter {
  const text = context.functions.get(arg.text)?.text?.(functionArgs(arg, context));
  return text === undefined ? () => {} : (record, out) => out.string(text(record));
}

function internetPrinter(arg: PrintArg, context: PrintContext, extension: string): PartPrinter {
  const isCapital = extension.startsWith('I');
  const rest = extension.slice(2);
  switch (extension[1]) {
    case '4':
      return fieldPrinter(arg, context, 4, 'INVALIDIPv4', (page, at, out) =>
        writeIpv4(out, page, at, !isCapital, 'hl'.includes(rest[0] ?? ' ')),
      );
    case '6': {
      const isCompressed = isCapital && rest.startsWith('c');
      return fieldPrinter(arg, context, 16, 'INVALIDIPv6', (page, at, out) => {
        if (isCompressed) writeCompressedIpv6(out, page, at);
        else writeIpv6(out, page, at, isCapital);
      });
    }
    case 'S':
      return socketAddressPrinter(arg, context, isCapital, rest);
    default:
      return () => {};
  }
}

const familyInet = 2;
const familyInet6 = 10;

function socketAddressPrinter(
  arg: PrintArg,
  context: PrintContext,
  isCapital: boolean,
  flags: string,
): PartPrinter {
  if (arg.kind === argKind.call) return callPrinter(arg, context);
  const { kind, field } = uncast(arg);
  if ((kind !== argKind.field && kind !== argKind.dynamicArray) || field === undefined)
    return (_, out) => out.string(`ARG NOT FIELD NOR DYNAMIC ARRAY BUT TYPE ${kind}`);
  const withPort = isCapital && flags.startsWith('p');
  const afterPort = flags.slice(withPort ? 1 : 0);
  const isCompressed = isCapital && afterPort.startsWith('c');
  const reverse = 'hl'.includes(afterPort[isCompressed ? 1 : 0] ?? ' ');
  return (record, out) => {
    const offset = kind === argKind.field ? field.offset : dynamicOffset(record, field);
    const stored = kind === argKind.field ? field.size : dynamicLength(record, field);
    const length = Math.min(stored, record.dataBytes - offset);
    if (length < 2) return;
    const at = record.dataOffset + offset;
    const family = record.view.getUint16(at, true);
    const port = length >= 4 ? record.view.getUint16(at + 2, false) : 0;
    if (family === familyInet) {
      if (length < 16) {
        out.string('INVALIDIPv4');
        return;
      }
      writeIpv4(out, record.page, at + 4, !isCapital, reverse);
      if (withPort) out.string(`:${port}`);
    } else if (family === familyInet6) {
      if (length < 28) {
        out.string('INVALIDIPv6');
        return;
      }
      if (withPort) out.string('[');
      if (isCompressed) writeCompressedIpv6(out, record.page, at + 8);
      else writeIpv6(out, record.page, at + 8, isCapital);
      if (withPort) out.string(`]:${port}`);
    }
  };
}

/** `%*ph`: bytes of a dynamic array; the argument of `*` is their number. */
function rawBufferPrinter(part: ConversionPart, context: PrintContext, extension: string): PartPrinter {
  const { arg, lengthArg } = part;
  if (arg.kind === argKind.call) return callPrinter(arg, context);
  if (arg.kind !== argKind.dynamicArray) return (_, out) => out.string(`ARG TYPE NOT FIELD BUT ${arg.kind}`);
  const field: PrintField = arg.field!;
  const separator = { C: ':', D: '-', N: '' }[extension[1] ?? ''] ?? ' ';
  const wanted = lengthArg === undefined ? undefined : compileValue(lengthArg, context);
  return (record, out) => {
    const offset = dynamicOffset(record, field);
    const most = wanted === undefined ? 1 : wanted.number(record);
    const count = Math.min(
      most === tooBig ? 0 : most,
      dynamicLength(record, field),
      record.dataBytes - offset,
    );
    writeBytes(out, record.page, record.dataOffset + offset, count, separator);
  };
}
