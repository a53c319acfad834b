import { namedValueText } from './constant.ts';
import { operate, parseUnsigned } from './numbers.ts';
import { argKind, type ArgKind, type NamedValue, PrintArg } from './print-arg.ts';
import type { PrintField, PrintFields } from './print-field.ts';
import { Tokens, type Token, type TokenType } from './tokens.ts';

/** The print format cannot be parsed; the event's fields are printed instead. */
export class PrintFormatError extends Error {}

export interface PrintFormat {
  /** The format string, with its escapes. */
  readonly text: string;
  readonly args: readonly PrintArg[];
}

/** Number of arguments of each additional function that a format may call, besides the built-in ones. */
export type CallableFunctions = ReadonlyMap<string, number>;

/** Recursion limits of parsing and printing, far above what any kernel's format needs. */
const maxDepth = 1500;
const maxLength = 1 << 20;

/**
 * Parses the text after `print fmt:`. Builds the same trees as libtraceevent 1.7, including those where its operator
 * precedence differs from C, so that the same text is printed. Throws PrintFormatError. Linear time.
 */
export function parsePrintFormat(
  text: string,
  fields: PrintFields,
  functions: CallableFunctions,
  longBytes: number,
): PrintFormat {
  if (text.length > maxLength) throw new PrintFormatError(`${text.length} characters`);
  return new Parser(text, fields, functions, longBytes).format();
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

const binaryOperators: ReadonlySet<string> = new Set(
  '>> << & | && || - + * ^ / % < > <= >= == !='.split(' '),
);

const intBytes = 4;

class Parser {
  readonly #tokens: Tokens;
  readonly #fields: PrintFields;
  readonly #functions: CallableFunctions;
  readonly #longBytes: number;
  #depth = 0;

  constructor(text: string, fields: PrintFields, functions: CallableFunctions, longBytes: number) {
    this.#tokens = new Tokens(text);
    this.#fields = fields;
    this.#functions = functions;
    this.#longBytes = longBytes;
  }

  format(): PrintFormat {
    const { text } = this.#expectNext('text');
    const token = this.#tokens.nextItem();
    if (token.type === 'none') return { text, args: [] };
    expect(token, 'delimiter', ',');
    return { text, args: this.#args() };
  }

  #args(): PrintArg[] {
    const args: PrintArg[] = [];
    for (;;) {
      const arg = new PrintArg();
      let token = this.#arg(arg);
      args.push(arg);
      if (token.type === 'op') {
        token = this.#operation(arg, token);
        consolidate(arg);
        // libtraceevent treats any token that ends an operation as a comma
        if (token.type === 'none') return args;
      } else if (token.type !== 'delimiter' || token.text !== ',') {
        return args;
      }
    }
  }

  #arg(arg: PrintArg): Token {
    return this.#argFrom(arg, this.#tokens.next());
  }

  #argFrom(arg: PrintArg, token: Token): Token {
    this.#enter();
    try {
      return this.#argOf(arg, token);
    } finally {
      this.#depth--;
    }
  }

  #argOf(arg: PrintArg, token: Token): Token {
    switch (token.type) {
      case 'item':
        return token.text === 'REC' ? this.#entry(arg) : this.#atomOrCall(arg, token.text);
      // libtraceevent takes a character for a text: its value is 0, or that of a digit
      case 'character':
      case 'text':
        arg.kind = argKind.atom;
        arg.text = token.text;
        return this.#tokens.nextItem();
      case 'delimiter':
      case 'op':
        if (token.text === '(') return this.#parenthesis(arg);
        arg.kind = argKind.op;
        arg.text = token.text;
        return this.#operation(arg, token);
      default:
        throw new PrintFormatError('an argument is missing');
    }
  }

  #atomOrCall(arg: PrintArg, first: string): Token {
    let token = this.#tokens.nextItem();
    if (token.type === 'delimiter' && token.text === '(') return this.#call(arg, first);
    const words = [first];
    for (; token.type === 'item'; token = this.#tokens.nextItem()) words.push(token.text);
    arg.kind = argKind.atom;
    arg.text = words.join(' ');
    return token;
  }

  /** `REC->field`. After `(REC)` returns the parenthesis as an item. */
  #entry(arg: PrintArg): Token {
    const token = this.#tokens.nextItem();
    if (token.type === 'delimiter' && token.text === ')') return { type: 'item', text: ')' };
    expect(token, 'op', '->');
    arg.kind = argKind.field;
    arg.text = this.#expectNext('item').text;
    arg.field = this.#fields.findAny(arg.text);
    return this.#tokens.next();
  }

  #parenthesis(arg: PrintArg): Token {
    let token = this.#arg(arg);
    if (token.type === 'op') token = this.#operation(arg, token);
    if (token.type === 'item' && token.text === ')') return this.#entry(arg);
    expect(token, 'delimiter', ')');
    token = this.#tokens.nextItem();
    const isCast =
      token.type === 'item' ||
      token.type === 'text' ||
      token.type === 'character' ||
      (token.type === 'delimiter' && token.text === '(');
    if (!isCast) return token;
    if (arg.kind !== argKind.atom) throw new PrintFormatError('a cast to something other than a type');
    arg.kind = argKind.cast;
    arg.item = new PrintArg();
    return this.#argFrom(arg.item, token);
  }

  /** Parses the rest of an operation, after `arg` and its operator `token`. @returns the token after it */
  #operation(arg: PrintArg, token: Token): Token {
    this.#enter();
    try {
      return this.#operationOf(arg, token);
    } finally {
      this.#depth--;
    }
  }

  #operationOf(arg: PrintArg, { text: operator }: Token): Token {
    let next: Token;
    let right: PrintArg | undefined;
    if (arg.kind === argKind.op && arg.left === undefined) {
      if (!['~', '!', '+', '-'].includes(operator)) throw unknownOperator(operator);
      arg.left = new PrintArg();
      right = new PrintArg();
      arg.right = right;
      next = this.#arg(right);
    } else if (operator === '?') {
      becomeOperation(arg, operator);
      next = this.#condition(arg);
    } else if (operator === '[') {
      becomeOperation(arg, operator);
      next = this.#index(arg);
    } else if (binaryOperators.has(operator)) {
      becomeOperation(arg, operator);
      arg.priority = arg.left?.kind === argKind.none ? 0 : priorityOf(operator);
      const first = this.#tokens.nextItem();
      if (operator === '*' && first.type === 'delimiter' && first.text === ')') {
        // a pointer type, not a product
        const type = arg.left!;
        if (type.kind !== argKind.atom)
          throw new PrintFormatError('a pointer to something other than a type');
        type.text += ' *';
        Object.assign(arg, type);
        return first;
      }
      right = new PrintArg();
      next = this.#argFrom(right, first);
      attachRight(arg, right, operator);
    } else {
      throw unknownOperator(operator);
    }
    if (next.type !== 'op' || next.text === ':') return next;
    // an index has none: it belongs to what is right of the operator
    const priority = priorityOf(next.text);
    return this.#operation(priority > arg.priority || right === undefined ? arg : right, next);
  }

  #condition(top: PrintArg): Token {
    const arg = new PrintArg();
    arg.kind = argKind.op;
    arg.left = new PrintArg();
    arg.right = new PrintArg();
    let token = this.#arg(arg.left);
    while (token.type === 'op' && token.text !== ':') token = this.#operation(arg.left, token);
    expect(token, 'op', ':');
    arg.text = ':';
    token = this.#arg(arg.right);
    top.right = arg;
    return token;
  }

  #index(top: PrintArg): Token {
    const arg = new PrintArg();
    expect(this.#arg(arg), 'op', ']');
    top.right = arg;
    return this.#tokens.nextItem();
  }

  #call(arg: PrintArg, name: string): Token {
    const array = arrayFunctions.get(name);
    if (array !== undefined) return this.#arrayCall(arg, array);
    if (dynamicArrayFunctions.has(name)) return this.#dynamicArray(arg);
    if (dynamicLengthFunctions.has(name)) return this.#dynamicArrayLength(arg);
    switch (name) {
      case '__print_flags':
        return this.#flags(arg);
      case '__print_symbolic':
        return this.#symbolic(arg);
      case '__print_hex':
        return this.#hex(arg, argKind.hex);
      case '__print_hex_str':
        return this.#hex(arg, argKind.hexString);
      case '__print_array':
        arg.kind = argKind.intArray;
        arg.item = this.#delimited(',');
        arg.count = this.#delimited(',');
        arg.elementSize = this.#delimited(')');
        return this.#tokens.nextItem();
      case '__builtin_expect':
        expect(this.#arg(arg), 'delimiter', ',');
        this.#expectNext('item');
        expect(this.#tokens.next(), 'delimiter', ')');
        return this.#tokens.nextItem();
      case 'sizeof':
        return this.#sizeof(arg);
      default:
        return this.#functionCall(arg, name);
    }
  }

  #arrayCall(arg: PrintArg, kind: ArgKind): Token {
    arg.kind = kind;
    arg.text = this.#expectNext('item').text;
    arg.field = this.#fields.findAny(arg.text);
    expect(this.#tokens.next(), 'delimiter', ')');
    return this.#tokens.next();
  }

  #dynamicArray(arg: PrintArg): Token {
    arg.kind = argKind.dynamicArray;
    arg.field = this.#ownField();
    expect(this.#tokens.next(), 'delimiter', ')');
    const token = this.#tokens.nextItem();
    // libtraceevent rejects an index here
    if (token.type === 'op' && token.text === '[')
      throw new PrintFormatError('an index after a dynamic array');
    return token;
  }

  #dynamicArrayLength(arg: PrintArg): Token {
    arg.kind = argKind.dynamicArrayLength;
    arg.field = this.#ownField();
    expect(this.#tokens.next(), 'delimiter', ')');
    return this.#tokens.next();
  }

  #ownField(): PrintField {
    const { text } = this.#expectNext('item');
    const field = this.#fields.find(text);
    if (field === undefined) throw new PrintFormatError(`no field ${text}`);
    return field;
  }

  #flags(arg: PrintArg): Token {
    arg.kind = argKind.flags;
    arg.item = this.#namedItem();
    let token = this.#tokens.nextItem();
    if (token.type === 'item' || token.type === 'text' || token.type === 'character') {
      arg.delimiter = token.text;
      token = this.#tokens.nextItem();
    }
    expect(token, 'delimiter', ',');
    arg.names = this.#names();
    return this.#tokens.nextItem();
  }

  #symbolic(arg: PrintArg): Token {
    arg.kind = argKind.symbol;
    arg.item = this.#namedItem();
    arg.names = this.#names();
    return this.#tokens.nextItem();
  }

  /** The first argument of `__print_flags` and `__print_symbolic`, up to the comma. */
  #namedItem(): PrintArg {
    const item = new PrintArg();
    let token = this.#arg(item);
    while (token.type === 'op') token = this.#operation(item, token);
    expect(token, 'delimiter', ',');
    return item;
  }

  /** `{ value, text }, ...)` */
  #names(): NamedValue[] {
    const names: NamedValue[] = [];
    for (;;) {
      let token = this.#tokens.nextItem();
      if (token.type !== 'op' || token.text !== '{') {
        // no name, also after a last comma
        expect(token, 'delimiter', ')');
        return names;
      }
      const value = new PrintArg();
      token = this.#arg(value);
      if (token.type === 'op') token = this.#operation(value, token);
      expect(token, 'delimiter', ',');
      const text = new PrintArg();
      expect(this.#arg(text), 'op', '}');
      names.push({ value: constant(value), text: constant(text) });
      token = this.#tokens.nextItem();
      if (token.type === 'delimiter' && token.text === ',') continue;
      expect(token, 'delimiter', ')');
      return names;
    }
  }

  #hex(arg: PrintArg, kind: ArgKind): Token {
    arg.kind = kind;
    arg.item = this.#delimited(',');
    arg.count = this.#delimited(')');
    return this.#tokens.nextItem();
  }

  /** One argument that ends with `delimiter`. */
  #delimited(delimiter: string): PrintArg {
    const arg = new PrintArg();
    let token = this.#arg(arg);
    if (token.type === 'op') {
      token = this.#operation(arg, token);
      consolidate(arg);
    }
    expect(token, 'delimiter', delimiter);
    return arg;
  }

  #functionCall(arg: PrintArg, name: string): Token {
    const count = this.#functions.get(name);
    if (count === undefined) throw new PrintFormatError(`function ${name} is unknown`);
    arg.kind = argKind.call;
    arg.text = name;
    const args: PrintArg[] = [];
    for (let index = 0; index < count; index++) {
      const next = new PrintArg();
      expect(this.#arg(next), 'delimiter', index < count - 1 ? ',' : ')');
      args.push(next);
    }
    arg.args = args;
    return this.#tokens.next();
  }

  #sizeof(arg: PrintArg): Token {
    let token = this.#tokens.nextItem();
    let size: number | undefined;
    const isUnsigned = token.text === 'unsigned';
    if (isUnsigned) token = this.#tokens.nextItem();
    let isClosing = false;
    if (isUnsigned && token.type !== 'item') {
      size = intBytes;
      isClosing = true;
    } else if (token.text === 'long') {
      token = this.#tokens.nextItem();
      isClosing = token.text !== 'long';
      size = isClosing ? this.#longBytes : 8;
    } else if (token.text === 'REC') {
      expect(this.#tokens.nextItem(), 'op', '->');
      const field = this.#fields.findAny(this.#expectNext('item').text);
      size = field?.isArray === false ? field.size : undefined;
    } else {
      // libtraceevent rejects the other types, u64 and the like too
      size = token.text === 'int' ? intBytes : undefined;
    }
    if (size === undefined) throw new PrintFormatError(`size of ${token.text} is unknown`);
    expect(isClosing ? token : this.#tokens.nextItem(), 'delimiter', ')');
    arg.kind = argKind.atom;
    arg.text = String(size);
    return this.#tokens.nextItem();
  }

  #expectNext(type: TokenType): Token {
    const token = this.#tokens.next();
    if (token.type !== type) throw new PrintFormatError(`${JSON.stringify(token.text)} is unexpected`);
    return token;
  }

  #enter(): void {
    if (++this.#depth > maxDepth) throw new PrintFormatError('expressions are nested too deeply');
  }
}

function expect(token: Token, type: TokenType, text: string): void {
  if (token.type !== type || token.text !== text)
    throw new PrintFormatError(`${JSON.stringify(token.text)} in place of ${JSON.stringify(text)}`);
}

function unknownOperator(operator: string): PrintFormatError {
  return new PrintFormatError(`operator ${JSON.stringify(operator)} is unknown`);
}

function becomeOperation(arg: PrintArg, operator: string): void {
  const left = arg.moved();
  Object.assign(arg, new PrintArg());
  arg.kind = argKind.op;
  arg.text = operator;
  arg.left = left;
}

/** Sets the right side; an operator of lower precedence on the right becomes the root. */
function attachRight(arg: PrintArg, right: PrintArg, operator: string): void {
  if (right.kind !== argKind.op || priorityOf(operator) >= priorityOf(right.text)) {
    arg.right = right;
    return;
  }
  arg.right = right.left;
  const inner = arg.moved();
  Object.assign(arg, right);
  Object.assign(right, inner);
  arg.left = right;
}

const priorities: ReadonlyMap<string, number> = new Map([
  ['++', 3],
  ['--', 3],
  ['~', 4],
  ['!', 4],
  ['*', 6],
  ['/', 6],
  ['%', 6],
  ['+', 7],
  ['-', 7],
  ['>>', 8],
  ['<<', 8],
  ['<', 9],
  ['>', 9],
  ['>=', 9],
  ['<=', 9],
  ['==', 10],
  ['!=', 10],
  ['&', 11],
  ['^', 12],
  ['|', 13],
  ['&&', 14],
  ['||', 15],
  ['?', 16],
]);

function priorityOf(operator: string): number {
  return priorities.get(operator) ?? -1;
}

/** Replaces operations on two constants by their result. */
function consolidate(arg: PrintArg): void {
  if (arg.kind !== argKind.op) return;
  const { left, right } = arg;
  if (left !== undefined) consolidate(left);
  if (right !== undefined) consolidate(right);
  if (left?.kind !== argKind.atom || right?.kind !== argKind.atom) return;
  const result = operate(arg.text, parseUnsigned(left.text), parseUnsigned(right.text));
  if (result === undefined) return;
  Object.assign(arg, new PrintArg());
  arg.kind = argKind.atom;
  arg.text = BigInt.asIntN(64, result).toString();
}

function constant(arg: PrintArg): string {
  const text = namedValueText(arg);
  if (text === undefined) throw new PrintFormatError('a value in a list of names is not constant');
  return text;
}
