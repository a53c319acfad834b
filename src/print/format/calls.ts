import { namedValueText } from './constant.ts';
import { consolidate } from './operations.ts';
import { expect, expectNext, PrintFormatError } from './parse-error.ts';
import { argKind, type ArgKind, type NamedValue, PrintArg } from './print-arg.ts';
import type { PrintField, PrintFields } from './print-field.ts';
import type { Token, Tokens } from './tokens.ts';

/** Number of arguments of each function that a format may call besides the built-in ones. */
export type CallableFunctions = ReadonlyMap<string, number>;

/** Parses the arguments of a function. */
export interface ArgParser {
  readonly tokens: Tokens;
  readonly fields: PrintFields;
  readonly functions: CallableFunctions;
  readonly longBytes: number;
  /** @returns the token after the argument, which may be an operator */
  arg(arg: PrintArg): Token;
  /** Parses the rest of an operation, after `arg` and its operator `token`. @returns the token after it */
  operation(arg: PrintArg, token: Token): Token;
}

/** Functions whose argument is the name of a dynamic array. */
const arrayFunctions: ReadonlyMap<string, ArgKind> = new Map([
  ['__get_str', argKind.string],
  ['__get_rel_str', argKind.string],
  ['__get_bitmask', argKind.bitmask],
  ['__get_rel_bitmask', argKind.bitmask],
  ['__get_cpumask', argKind.cpumask],
  ['__get_rel_cpumask', argKind.cpumask],
]);

const dynamicArrayFunctions: ReadonlySet<string> = new Set([
  '__get_dynamic_array',
  '__get_rel_dynamic_array',
  '__get_sockaddr',
  '__get_sockaddr_rel',
]);

const dynamicLengthFunctions: ReadonlySet<string> = new Set([
  '__get_dynamic_array_len',
  '__get_rel_dynamic_array_len',
]);

const intBytes = 4;

/** Parses a function's arguments, after its `(`. @returns the token after its `)` */
export function parseCall(parser: ArgParser, arg: PrintArg, name: string): Token {
  const array = arrayFunctions.get(name);
  if (array !== undefined) return arrayCall(parser, arg, array);
  if (dynamicArrayFunctions.has(name)) return dynamicArray(parser, arg);
  if (dynamicLengthFunctions.has(name)) return dynamicArrayLength(parser, arg);
  switch (name) {
    case '__print_flags':
      return flags(parser, arg);
    case '__print_symbolic':
      return symbolic(parser, arg);
    case '__print_hex':
      return hex(parser, arg, argKind.hex);
    case '__print_hex_str':
      return hex(parser, arg, argKind.hexString);
    case '__print_array':
      arg.kind = argKind.intArray;
      arg.item = delimited(parser, ',');
      arg.count = delimited(parser, ',');
      arg.elementSize = delimited(parser, ')');
      return parser.tokens.nextItem();
    case '__builtin_expect':
      expect(parser.arg(arg), 'delimiter', ',');
      expectNext(parser.tokens, 'item');
      expect(parser.tokens.next(), 'delimiter', ')');
      return parser.tokens.nextItem();
    case 'sizeof':
      return sizeof(parser, arg);
    default:
      return functionCall(parser, arg, name);
  }
}

function arrayCall(parser: ArgParser, arg: PrintArg, kind: ArgKind): Token {
  arg.kind = kind;
  arg.text = expectNext(parser.tokens, 'item').text;
  arg.field = parser.fields.findAny(arg.text);
  expect(parser.tokens.next(), 'delimiter', ')');
  return parser.tokens.next();
}

function dynamicArray(parser: ArgParser, arg: PrintArg): Token {
  arg.kind = argKind.dynamicArray;
  arg.field = ownField(parser);
  expect(parser.tokens.next(), 'delimiter', ')');
  const token = parser.tokens.nextItem();
  // libtraceevent rejects an index here
  if (token.type === 'op' && token.text === '[') throw new PrintFormatError('an index after a dynamic array');
  return token;
}

function dynamicArrayLength(parser: ArgParser, arg: PrintArg): Token {
  arg.kind = argKind.dynamicArrayLength;
  arg.field = ownField(parser);
  expect(parser.tokens.next(), 'delimiter', ')');
  return parser.tokens.next();
}

function ownField(parser: ArgParser): PrintField {
  const { text } = expectNext(parser.tokens, 'item');
  const field = parser.fields.find(text);
  if (field === undefined) throw new PrintFormatError(`no field ${text}`);
  return field;
}

function flags(parser: ArgParser, arg: PrintArg): Token {
  arg.kind = argKind.flags;
  arg.item = namedItem(parser);
  let token = parser.tokens.nextItem();
  if (token.type === 'item' || token.type === 'text' || token.type === 'character') {
    arg.delimiter = token.text;
    token = parser.tokens.nextItem();
  }
  expect(token, 'delimiter', ',');
  arg.names = names(parser);
  return parser.tokens.nextItem();
}

function symbolic(parser: ArgParser, arg: PrintArg): Token {
  arg.kind = argKind.symbol;
  arg.item = namedItem(parser);
  arg.names = names(parser);
  return parser.tokens.nextItem();
}

/** The first argument of `__print_flags` and `__print_symbolic`, up to the comma. */
function namedItem(parser: ArgParser): PrintArg {
  const item = new PrintArg();
  let token = parser.arg(item);
  while (token.type === 'op') token = parser.operation(item, token);
  expect(token, 'delimiter', ',');
  return item;
}

/** `{ value, text }, ...)` */
function names(parser: ArgParser): NamedValue[] {
  const names: NamedValue[] = [];
  for (;;) {
    let token = parser.tokens.nextItem();
    if (token.type !== 'op' || token.text !== '{') {
      // the list ends here, possibly after a trailing comma
      expect(token, 'delimiter', ')');
      return names;
    }
    const value = new PrintArg();
    token = parser.arg(value);
    if (token.type === 'op') token = parser.operation(value, token);
    expect(token, 'delimiter', ',');
    const text = new PrintArg();
    expect(parser.arg(text), 'op', '}');
    names.push({ value: constant(value), text: constant(text) });
    token = parser.tokens.nextItem();
    if (token.type === 'delimiter' && token.text === ',') continue;
    expect(token, 'delimiter', ')');
    return names;
  }
}

function hex(parser: ArgParser, arg: PrintArg, kind: ArgKind): Token {
  arg.kind = kind;
  arg.item = delimited(parser, ',');
  arg.count = delimited(parser, ')');
  return parser.tokens.nextItem();
}

/** One argument that ends with `delimiter`. */
function delimited(parser: ArgParser, delimiter: string): PrintArg {
  const arg = new PrintArg();
  let token = parser.arg(arg);
  if (token.type === 'op') {
    token = parser.operation(arg, token);
    consolidate(arg);
  }
  expect(token, 'delimiter', delimiter);
  return arg;
}

function functionCall(parser: ArgParser, arg: PrintArg, name: string): Token {
  const count = parser.functions.get(name);
  if (count === undefined) throw new PrintFormatError(`function ${name} is unknown`);
  arg.kind = argKind.call;
  arg.text = name;
  const args: PrintArg[] = [];
  for (let index = 0; index < count; index++) {
    const next = new PrintArg();
    expect(parser.arg(next), 'delimiter', index < count - 1 ? ',' : ')');
    args.push(next);
  }
  arg.args = args;
  return parser.tokens.next();
}

function sizeof(parser: ArgParser, arg: PrintArg): Token {
  let token = parser.tokens.nextItem();
  let size: number | undefined;
  const isUnsigned = token.text === 'unsigned';
  if (isUnsigned) token = parser.tokens.nextItem();
  let isClosing = false;
  if (isUnsigned && token.type !== 'item') {
    size = intBytes;
    isClosing = true;
  } else if (token.text === 'long') {
    token = parser.tokens.nextItem();
    isClosing = token.text !== 'long';
    size = isClosing ? parser.longBytes : 8;
  } else if (token.text === 'REC') {
    expect(parser.tokens.nextItem(), 'op', '->');
    const field = parser.fields.findAny(expectNext(parser.tokens, 'item').text);
    size = field?.isArray === false ? field.size : undefined;
  } else {
    // libtraceevent rejects all other types, even u64 and the like
    size = token.text === 'int' ? intBytes : undefined;
  }
  if (size === undefined) throw new PrintFormatError(`size of ${token.text} is unknown`);
  expect(isClosing ? token : parser.tokens.nextItem(), 'delimiter', ')');
  arg.kind = argKind.atom;
  arg.text = String(size);
  return parser.tokens.nextItem();
}

function constant(arg: PrintArg): string {
  const text = namedValueText(arg);
  if (text === undefined) throw new PrintFormatError('a value in a list of names is not constant');
  return text;
}
