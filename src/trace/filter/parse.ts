import { quoted } from '../../base/quoted.ts';
import { filterFailure } from './filter-error.ts';
import { type Token, tokensOf } from './tokens.ts';

export type Arithmetic = '+' | '-' | '*' | '/' | '%' | '<<' | '>>' | '&' | '|' | '^';
export type Comparison = '==' | '!=' | '<' | '>' | '<=' | '>=' | '=~' | '!~';

/** A number or a string. `at` is an offset in the whole filter. */
export type Value =
  | { readonly kind: 'number'; readonly value: bigint; readonly at: number }
  | { readonly kind: 'text'; readonly text: string; readonly quote: '"' | "'"; readonly at: number }
  | { readonly kind: 'field'; readonly name: string; readonly at: number }
  | {
      readonly kind: 'arithmetic';
      readonly op: Arithmetic;
      readonly left: Value;
      readonly right: Value;
      readonly at: number;
    };

/** True or false. */
export type Condition =
  | {
      readonly kind: 'compare';
      readonly op: Comparison;
      readonly left: Value;
      readonly right: Value;
      readonly at: number;
    }
  /** True if the number is not 0. */
  | { readonly kind: 'nonzero'; readonly value: Value; readonly at: number }
  | { readonly kind: 'not'; readonly operand: Condition; readonly at: number }
  | { readonly kind: 'and' | 'or'; readonly left: Condition; readonly right: Condition; readonly at: number };

type Node = Value | Condition;

/** Maximum nesting of parentheses and `!`. */
const maxDepth = 100;
const maxNumber = (1n << 64n) - 1n;

/** Lowest precedence first. Unlike in C, all bind tighter than comparisons: `flags & 3 == 1` compares `flags & 3`. */
const arithmeticLevels: readonly (readonly Arithmetic[])[] = [
  ['|'],
  ['^'],
  ['&'],
  ['<<', '>>'],
  ['+', '-'],
  ['*', '/', '%'],
];
const comparisons: ReadonlySet<string> = new Set(['==', '!=', '<', '>', '<=', '>=', '=~', '!~']);

/**
 * Parses the expression from `start` to the end of `filter`. As in trace-cmd, `&&` and `||` have equal precedence and
 * associate from left to right, and `!` applies to one comparison or one pair of parentheses. Throws Failure (usage).
 */
export function parseCondition(filter: string, start: number): Condition {
  const parser = new Parser(filter, start);
  return parser.whole();
}

class Parser {
  readonly #filter: string;
  readonly #tokens: readonly Token[];
  #next = 0;
  #depth = 0;

  constructor(filter: string, start: number) {
    this.#filter = filter;
    this.#tokens = tokensOf(filter, start);
  }

  whole(): Condition {
    const condition = this.#condition(this.#logic());
    const { kind, text, at } = this.#token;
    if (kind !== 'end')
      throw this.#fail(at, `unexpected ${quoted(text)}`, 'join two conditions with && or ||');
    return condition;
  }

  get #token(): Token {
    return this.#tokens[this.#next]!;
  }

  /** Takes the next token if it is one of these operators. */
  #takeOp<Op extends string>(ops: readonly Op[]): { readonly op: Op; readonly at: number } | undefined {
    const { kind, text, at } = this.#token;
    const op = kind === 'op' ? ops.find((op) => op === text) : undefined;
    if (op === undefined) return undefined;
    this.#next++;
    return { op, at };
  }

  #logic(): Node {
    let left = this.#not();
    for (;;) {
      const taken = this.#takeOp(['&&', '||']);
      if (taken === undefined) return left;
      const kind = taken.op === '&&' ? 'and' : 'or';
      left = { kind, left: this.#condition(left), right: this.#condition(this.#not()), at: taken.at };
    }
  }

  #not(): Node {
    const not = this.#takeOp(['!']);
    if (not === undefined) return this.#comparison();
    this.#enter(not.at);
    const operand = this.#condition(this.#not());
    this.#depth--;
    return { kind: 'not', operand, at: not.at };
  }

  #comparison(): Node {
    const left = this.#arithmetic(0);
    const { kind, text, at } = this.#token;
    if (kind !== 'op' || !comparisons.has(text)) return left;
    this.#next++;
    const right = this.#value(this.#arithmetic(0));
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the set has only these
    const op = text as Comparison;
    const after = this.#token;
    if (after.kind === 'op' && comparisons.has(after.text))
      throw this.#fail(after.at, `unexpected ${quoted(after.text)}`, 'join two comparisons with &&');
    return { kind: 'compare', op, left: this.#value(left), right, at };
  }

  #arithmetic(level: number): Node {
    const ops = arithmeticLevels[level];
    if (ops === undefined) return this.#operand();
    let left = this.#arithmetic(level + 1);
    for (;;) {
      const taken = this.#takeOp(ops);
      if (taken === undefined) return left;
      const right = this.#number(this.#arithmetic(level + 1));
      left = { kind: 'arithmetic', op: taken.op, left: this.#number(left), right, at: taken.at };
    }
  }

  #operand(): Node {
    const { kind, text, at, quote } = this.#token;
    if (kind === 'end') throw this.#fail(at, 'unexpected end', 'write e.g. sched_switch: prev_pid == 1');
    this.#next++;
    if (kind === 'name') return { kind: 'field', name: text, at };
    if (kind === 'text') return { kind: 'text', text, quote: quote!, at };
    if (kind === 'number') return { kind: 'number', value: this.#numberOf(text, at), at };
    if (text === '-') {
      this.#enter(at);
      const right = this.#number(this.#operand());
      this.#depth--;
      return { kind: 'arithmetic', op: '-', left: { kind: 'number', value: 0n, at }, right, at };
    }
    if (text !== '(')
      throw this.#fail(at, `unexpected ${quoted(text)}`, 'write a field, a number or a string there');
    this.#enter(at);
    const inner = this.#logic();
    if (this.#takeOp([')']) === undefined) {
      const { at: end, kind: found, text: other } = this.#token;
      const problem =
        found === 'end' ? `the ( at character ${at + 1} is not closed` : `unexpected ${quoted(other)}`;
      throw this.#fail(end, problem, 'add )');
    }
    this.#depth--;
    return inner;
  }

  #enter(at: number): void {
    if (++this.#depth > maxDepth)
      throw this.#fail(at, `more than ${maxDepth} levels`, 'use fewer parentheses');
  }

  /** Like strtoull with base 0: hexadecimal after `0x`, octal after `0`. */
  #numberOf(text: string, at: number): bigint {
    const isOctal = /^0[0-7]+$/.test(text);
    if (!isOctal && !/^(?:0x[\da-f]+|0|[1-9]\d*)$/i.test(text))
      throw this.#fail(
        at,
        `${quoted(text)} is not a number`,
        'write it in decimal, as 0x…, or as a string in quotes',
      );
    const value = BigInt(isOctal ? `0o${text}` : text);
    if (value > maxNumber)
      throw this.#fail(at, `${quoted(text)} is too large`, 'a number has at most 64 bits');
    return value;
  }

  #condition(node: Node): Condition {
    if (node.kind === 'text')
      throw this.#fail(node.at, 'a string alone is not a condition', 'compare it with a field');
    return isValue(node) ? { kind: 'nonzero', value: node, at: node.at } : node;
  }

  #value(node: Node): Value {
    if (isValue(node)) return node;
    throw this.#fail(node.at, 'comparison or arithmetic on a condition', 'use && and || between conditions');
  }

  #number(node: Node): Value {
    const value = this.#value(node);
    if (value.kind === 'text') throw this.#fail(value.at, 'arithmetic on a string', 'use a number');
    return value;
  }

  #fail(at: number, problem: string, remedy: string): Error {
    return filterFailure(this.#filter, at, problem, remedy);
  }
}

function isValue(node: Node): node is Value {
  return (
    node.kind === 'number' || node.kind === 'text' || node.kind === 'field' || node.kind === 'arithmetic'
  );
}
