import { type ArgParser, type CallableFunctions, parseCall } from './calls.ts';
import { attachRight, becomeOperation, binaryOperators, consolidate, priorityOf } from './operations.ts';
import { expect, expectNext, PrintFormatError } from './parse-error.ts';
import { argKind, PrintArg } from './print-arg.ts';
import type { PrintFields } from './print-field.ts';
import { type Token, Tokens } from './tokens.ts';

export interface PrintFormat {
  /** The format string, with its escapes. */
  readonly text: string;
  readonly args: readonly PrintArg[];
}

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

class Parser implements ArgParser {
  readonly tokens: Tokens;
  readonly fields: PrintFields;
  readonly functions: CallableFunctions;
  readonly longBytes: number;
  #depth = 0;

  constructor(text: string, fields: PrintFields, functions: CallableFunctions, longBytes: number) {
    this.tokens = new Tokens(text);
    this.fields = fields;
    this.functions = functions;
    this.longBytes = longBytes;
  }

  format(): PrintFormat {
    const { text } = expectNext(this.tokens, 'text');
    const token = this.tokens.nextItem();
    if (token.type === 'none') return { text, args: [] };
    expect(token, 'delimiter', ',');
    return { text, args: this.#args() };
  }

  #args(): PrintArg[] {
    const args: PrintArg[] = [];
    for (;;) {
      const arg = new PrintArg();
      let token = this.arg(arg);
      args.push(arg);
      if (token.type === 'op') {
        token = this.operation(arg, token);
        consolidate(arg);
        // libtraceevent treats any token that ends an operation as a comma
        if (token.type === 'none') return args;
      } else if (token.type !== 'delimiter' || token.text !== ',') {
        return args;
      }
    }
  }

  arg(arg: PrintArg): Token {
    return this.#argFrom(arg, this.tokens.next());
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
      // libtraceevent treats a character as a text: its value is that of the digit, or 0 if it is not a digit
      case 'character':
      case 'text':
        arg.kind = argKind.atom;
        arg.text = token.text;
        return this.tokens.nextItem();
      case 'delimiter':
      case 'op':
        if (token.text === '(') return this.#parenthesis(arg);
        arg.kind = argKind.op;
        arg.text = token.text;
        return this.operation(arg, token);
      default:
        throw new PrintFormatError('an argument is missing');
    }
  }

  #atomOrCall(arg: PrintArg, first: string): Token {
    let token = this.tokens.nextItem();
    if (token.type === 'delimiter' && token.text === '(') return parseCall(this, arg, first);
    const words = [first];
    for (; token.type === 'item'; token = this.tokens.nextItem()) words.push(token.text);
    arg.kind = argKind.atom;
    arg.text = words.join(' ');
    return token;
  }

  /** `REC->field`. If `REC` is followed by `)`, returns the parenthesis as an item. */
  #entry(arg: PrintArg): Token {
    const token = this.tokens.nextItem();
    if (token.type === 'delimiter' && token.text === ')') return { type: 'item', text: ')' };
    expect(token, 'op', '->');
    arg.kind = argKind.field;
    arg.text = expectNext(this.tokens, 'item').text;
    arg.field = this.fields.findAny(arg.text);
    return this.tokens.next();
  }

  #parenthesis(arg: PrintArg): Token {
    let token = this.arg(arg);
    if (token.type === 'op') token = this.operation(arg, token);
    if (token.type === 'item' && token.text === ')') return this.#entry(arg);
    expect(token, 'delimiter', ')');
    token = this.tokens.nextItem();
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
  operation(arg: PrintArg, token: Token): Token {
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
      next = this.arg(right);
    } else if (operator === '?') {
      becomeOperation(arg, operator);
      next = this.#condition(arg);
    } else if (operator === '[') {
      becomeOperation(arg, operator);
      next = this.#index(arg);
    } else if (binaryOperators.has(operator)) {
      becomeOperation(arg, operator);
      arg.priority = arg.left?.kind === argKind.none ? 0 : priorityOf(operator);
      const first = this.tokens.nextItem();
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
    // `[` has no priority: the index belongs to the operand on the right of the operator
    const priority = priorityOf(next.text);
    return this.operation(priority > arg.priority || right === undefined ? arg : right, next);
  }

  #condition(top: PrintArg): Token {
    const arg = new PrintArg();
    arg.kind = argKind.op;
    arg.left = new PrintArg();
    arg.right = new PrintArg();
    let token = this.arg(arg.left);
    while (token.type === 'op' && token.text !== ':') token = this.operation(arg.left, token);
    expect(token, 'op', ':');
    arg.text = ':';
    token = this.arg(arg.right);
    top.right = arg;
    return token;
  }

  #index(top: PrintArg): Token {
    const arg = new PrintArg();
    expect(this.arg(arg), 'op', ']');
    top.right = arg;
    return this.tokens.nextItem();
  }

  #enter(): void {
    if (++this.#depth > maxDepth) throw new PrintFormatError('expressions are nested too deeply');
  }
}

function unknownOperator(operator: string): PrintFormatError {
  return new PrintFormatError(`operator ${JSON.stringify(operator)} is unknown`);
}
