import type { RecordData } from '../../trace/format/record-data.ts';
import { castBits } from '../format/cast.ts';
import { operate, parseUnsigned } from '../format/numbers.ts';
import { argKind, type PrintArg, type Slot } from '../format/print-arg.ts';
import type { FunctionMap } from '../symbols/function-map.ts';
import { dynamicLength, dynamicOffset } from './dynamic.ts';
import {
  bigValue,
  constantValue,
  eitherValue,
  memoryValue,
  readMemory,
  smallValue,
  tooBig,
  type Value,
} from './value.ts';

/** A function that formats may call: it computes a value, and may write text. */
export interface PrintFunction {
  readonly name: string;
  /** Number of arguments. */
  readonly arity: number;
  readonly value: (args: readonly PrintFunctionArg[]) => Value;
  /** What the call prints where a string is required; undefined if it has no text. */
  readonly text?: (args: readonly PrintFunctionArg[]) => (record: RecordData) => string;
}

export interface PrintFunctionArg {
  readonly value: Value;
  /** Offset in the record that the argument points to; undefined if it is not a dynamic array. */
  readonly offset: ((record: RecordData) => number) | undefined;
}

export interface ValueContext {
  readonly longBytes: number;
  readonly functionMap: () => FunctionMap;
  readonly functions: ReadonlyMap<string, PrintFunction>;
}

const none = constantValue(0n);

/** Compiles an argument where a number is required; arguments that are not numbers count as 0. */
export function compileValue(arg: PrintArg, context: ValueContext): Value {
  switch (arg.kind) {
    case argKind.atom:
      if (arg.slot !== undefined) return slotValue(arg.slot);
      return constantValue(atomValue(arg.text, context));
    case argKind.field:
      return arg.field === undefined ? none : memoryValue(arg.field.offset, arg.field.size);
    case argKind.cast:
      return cut(compileValue(arg.item!, context), castBits(arg.text));
    case argKind.op:
      return operation(arg, context);
    case argKind.dynamicArrayLength: {
      const field = arg.field!;
      return smallValue((record) => dynamicLength(record, field));
    }
    case argKind.call: {
      const called = context.functions.get(arg.text);
      return called === undefined ? none : called.value(functionArgs(arg, context));
    }
    default:
      return none;
  }
}

function slotValue(slot: Slot): Value {
  return bigValue(() => slot.value);
}

export function functionArgs(arg: PrintArg, context: ValueContext): PrintFunctionArg[] {
  return arg.args.map((each) => {
    const { field } = each;
    const offset =
      each.kind === argKind.dynamicArray && field !== undefined
        ? (record: RecordData) => dynamicOffset(record, field)
        : undefined;
    return { value: compileValue(each, context), offset };
  });
}

/** A number, or the address of the function of that name. */
function atomValue(text: string, context: ValueContext): bigint {
  const value = parseUnsigned(text);
  if (value !== 0n || /^\d/.test(text)) return value;
  return context.functionMap().addressOf(text) ?? 0n;
}

function cut(value: Value, bits: number): Value {
  if (bits === 64) return value;
  const size = 2 ** bits;
  const number = (record: RecordData): number => {
    const whole = value.either(record);
    return typeof whole === 'bigint' ? Number(BigInt.asUintN(bits, whole)) : whole % size;
  };
  return smallValue(number);
}

function operation(arg: PrintArg, context: ValueContext): Value {
  const { text: operator, left, right } = arg;
  if (left === undefined || right === undefined) return none;
  if (operator === '[') {
    const element = elementValue(left, right, context);
    if (element !== undefined) return element;
    return none;
  }
  if (operator === '?') {
    if (right.left === undefined || right.right === undefined) return none;
    return choice(
      compileValue(left, context),
      compileValue(right.left, context),
      compileValue(right.right, context),
    );
  }
  const first = compileValue(left, context);
  const second = compileValue(right, context);
  switch (operator) {
    case '!':
      return smallValue((record) => (second.number(record) === 0 ? 1 : 0));
    case '~':
      return bigValue((record) => BigInt.asUintN(64, ~second.big(record)));
    // libtraceevent evaluates this only in constants
    case '^':
      return none;
    default:
      return binary(operator, first, second);
  }
}

function choice(condition: Value, yes: Value, no: Value): Value {
  return {
    number: (record) => (condition.number(record) === 0 ? no : yes).number(record),
    big: (record) => (condition.number(record) === 0 ? no : yes).big(record),
    either: (record) => (condition.number(record) === 0 ? no : yes).either(record),
  };
}

/** An empty record, for values that do not depend on a record. */
const noRecord: RecordData = {
  page: new Uint8Array(0),
  view: new DataView(new ArrayBuffer(0)),
  dataOffset: 0,
  dataBytes: 0,
};

/** The value of `array[index]`; undefined if what is indexed is not an array. */
function elementValue(array: PrintArg, index: PrintArg, context: ValueContext): Value | undefined {
  let target = array;
  while (target.kind === argKind.cast) target = target.item!;
  const { field } = target;
  const at = compileValue(index, context);
  // a cast to a pointer truncates the element to the type it points to
  const bits =
    array.kind === argKind.cast && array.text.endsWith(' *') ? castBits(array.text.slice(0, -2)) : 64;
  const read = (offsetOf: (record: RecordData) => number, bytes: number): Value =>
    cut(
      bigValue((record) => readMemory(record, offsetOf(record), bytes)),
      bits,
    );
  const indexOf = (record: RecordData): number => {
    const number = at.number(record);
    return number === tooBig ? Number.MAX_SAFE_INTEGER : number;
  };
  if (field === undefined) return undefined;
  if (target.kind === argKind.dynamicArray)
    return read(
      (record) => dynamicOffset(record, field) + indexOf(record),
      field.elementSize || context.longBytes,
    );
  // with a constant index, the offset is constant
  if (target.kind === argKind.field && index.kind === argKind.atom && index.slot === undefined) {
    const offset = field.offset + Number(BigInt.asUintN(32, at.big(noRecord))) * field.elementSize;
    return cut(memoryValue(offset, field.elementSize), bits);
  }
  if (target.kind === argKind.field)
    return read((record) => field.offset + indexOf(record) * field.elementSize, field.elementSize);
  return undefined;
}

type NumberOperation = (left: number, right: number) => number;

/** Operations on numbers below 2^53; `tooBig` where the result is not one. */
const numberOperations: ReadonlyMap<string, NumberOperation> = new Map<string, NumberOperation>([
  ['+', (left, right) => safe(left + right)],
  ['-', (left, right) => (left >= right ? left - right : tooBig)],
  ['*', (left, right) => safe(left * right)],
  ['/', (left, right) => (right === 0 ? 0 : Math.floor(left / right))],
  ['%', (left, right) => (right === 0 ? 0 : left % right)],
  ['<', (left, right) => (left < right ? 1 : 0)],
  ['<=', (left, right) => (left <= right ? 1 : 0)],
  ['>', (left, right) => (left > right ? 1 : 0)],
  ['>=', (left, right) => (left >= right ? 1 : 0)],
  ['==', (left, right) => (left === right ? 1 : 0)],
  ['!=', (left, right) => (left === right ? 0 : 1)],
  ['&&', (left, right) => (left !== 0 && right !== 0 ? 1 : 0)],
  ['||', (left, right) => (left !== 0 || right !== 0 ? 1 : 0)],
  ['<<', (left, right) => (right < 32 ? safe(left * 2 ** right) : tooBig)],
  ['>>', (left, right) => (right < 64 ? Math.floor(left / 2 ** right) : tooBig)],
  ['&', (left, right) => bits(left, right, (a, b) => a & b)],
  ['|', (left, right) => bits(left, right, (a, b) => a | b)],
]);

function safe(value: number): number {
  return value <= Number.MAX_SAFE_INTEGER ? value : tooBig;
}

const twoTo32 = 2 ** 32;

function bits(left: number, right: number, apply: (left: number, right: number) => number): number {
  if (left < twoTo32 && right < twoTo32) return apply(left, right) >>> 0;
  const high = apply(Math.floor(left / twoTo32), Math.floor(right / twoTo32)) >>> 0;
  return high * twoTo32 + (apply(left % twoTo32, right % twoTo32) >>> 0);
}

function binary(operator: string, left: Value, right: Value): Value {
  const quick = numberOperations.get(operator);
  if (quick === undefined) return none;
  return eitherValue((record) => {
    const first = left.either(record);
    const second = right.either(record);
    if (typeof first === 'number' && typeof second === 'number') {
      const result = quick(first, second);
      if (result !== tooBig) return result;
    }
    const result = operate(operator, BigInt(first), BigInt(second)) ?? 0n;
    return result <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(result) : result;
  });
}
