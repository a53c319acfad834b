import type { RecordData } from '../../trace/format/record-data.ts';
import type { PrintContext } from '../event/context.ts';
import type { PrintFields } from '../format/print-field.ts';
import type { TextBuffer } from '../text/text-buffer.ts';
import { tooBig, memoryValue, type Value } from '../value/value.ts';

/** The properties of an event besides its record. */
export interface HandledEvent {
  readonly cpu: number;
  readonly timestamp: bigint;
}

/** Prints an event in place of its print format. @returns true to print the print format as well */
export type EventHandler = (record: RecordData, out: TextBuffer, event: HandledEvent) => boolean;

/** Options that `-O` sets. */
export interface HandlerOptions {
  /** `parent`: print the caller of each function. */
  readonly parent: boolean;
  /** `indent`: indent functions below their callers. */
  readonly indent: boolean;
  /** `offset`: print the offset of an address in its function. */
  readonly offset: boolean;
  /** `tailprint`: name the function at its end in a function graph. */
  readonly tailprint: boolean;
  /** `depth`: print the depth of each function in a function graph. */
  readonly depth: boolean;
}

export interface HandlerSetup {
  readonly fields: PrintFields;
  readonly context: PrintContext;
  readonly options: HandlerOptions;
  /** Writes a time as in the report's lines. */
  readonly writeTime: (out: TextBuffer, timestamp: bigint) => void;
}

/** Creates the handler of one event type of one trace. */
export type MakeHandler = (setup: HandlerSetup) => EventHandler;

/**
 * A field of the event, except common ones, as a number; undefined if it is missing or its size is not an integer's.
 */
export function numberField(fields: PrintFields, name: string): Value | undefined {
  const field = fields.find(name);
  if (field === undefined || ![1, 2, 4, 8].includes(field.size)) return undefined;
  return memoryValue(field.offset, field.size);
}

/** Reports a missing field in the line, as libtraceevent does. */
export function writeMissing(out: TextBuffer, fields: PrintFields, name: string): void {
  out.string(fields.find(name) === undefined ? `<CANT FIND FIELD ${name}>` : ` ${name}=INVALID`);
}

/** A handler that only reports a missing field. */
export function missing(fields: PrintFields, name: string, before = '', after = '!'): EventHandler {
  return (_, out) => {
    out.string(before);
    writeMissing(out, fields, name);
    out.string(after);
    return after !== '';
  };
}

export function writeUnsigned(out: TextBuffer, value: Value, record: RecordData): void {
  const number = value.number(record);
  if (number === tooBig) out.string(value.big(record).toString());
  else out.decimal(number);
}

/** `%lld` */
export function writeSigned(out: TextBuffer, value: Value, record: RecordData): void {
  const number = value.number(record);
  if (number === tooBig) out.string(BigInt.asIntN(64, value.big(record)).toString());
  else out.decimal(number);
}

export function writeHex(out: TextBuffer, value: Value, record: RecordData): void {
  const number = value.number(record);
  if (number === tooBig) out.string(value.big(record).toString(16));
  else out.hex(number);
}

const twoTo32 = 2 ** 32;

/** Index of the function that contains the address; -1 if there is none. */
export function functionAt(context: PrintContext, value: Value, record: RecordData): number {
  const number = value.number(record);
  if (number !== tooBig) return context.functionMap().find(Math.floor(number / twoTo32), number % twoTo32);
  const big = value.big(record);
  return context.functionMap().find(Number(big >> 32n), Number(big & 0xffffffffn));
}

export function writeFunctionName(out: TextBuffer, context: PrintContext, index: number): void {
  const map = context.functionMap();
  out.copy(map.text, map.nameStart(index), map.nameEnd(index));
}
