import { nearNames } from '../../base/near-names.ts';
import { quoted } from '../../base/quoted.ts';
import { type EventFormat, fieldOf } from '../format/event-format.ts';
import type { Field } from '../format/field.ts';
import { always, never, type Test } from './candidate.ts';
import { eventsNamed } from './event-patterns.ts';
import { filterFailure } from './filter-error.ts';
import {
  calculate,
  calculated,
  compareNarrow,
  compareWide,
  compareWideField,
  type Narrow,
  narrowField,
  type Order,
  type Wide,
  wideField,
  widened,
} from './numbers.ts';
import { type Comparison, type Condition, parseCondition, type Value } from './parse.ts';
import { PatternError } from './posix-regexp.ts';
import { compareText, fieldText, type FilterNames, taskText, type Text } from './texts.ts';

/** Maximum length of a filter in characters. */
const maxLength = 8192;
/** Limit for names to compare: a kernel has a few thousand field names, a hostile guest may have millions. */
const maxCompared = 20_000;

/**
 * Compiles a filter in trace-cmd's syntax, `EVENTS` or `EVENTS: CONDITION`, to a test for each event type that it
 * names. A comparison with a field that only some of these types have is false for the others. Throws Failure (usage)
 * that names the place, also for a field that none of the named types has.
 */
export function compileFilter(
  filter: string,
  formats: readonly EventFormat[],
  names: FilterNames,
): ReadonlyMap<number, Test> {
  if (filter.length > maxLength)
    throw filterFailure(
      filter,
      maxLength,
      `more than ${maxLength} characters`,
      'split it into several filters',
    );
  const colon = filter.indexOf(':');
  const events = eventsNamed(filter, colon < 0 ? filter.length : colon, formats);
  if (colon < 0) return new Map(events.map(({ id }) => [id, always]));
  const condition = parseCondition(filter, colon + 1);
  const problems = new Problems(filter, events, formats);
  const tests = new Map(
    events.map((format) => [format.id, new Compiler(filter, format, names, problems).condition(condition)]),
  );
  problems.check();
  return tests;
}

/** Whether a comparison can be true for an event type: it has the fields, and they can be compared in this way. */
export function isPossible(
  filter: string,
  comparison: Condition,
  format: EventFormat,
  names: FilterNames,
): boolean {
  const problems = new Problems(filter, [format], []);
  return new Compiler(filter, format, names, problems).condition(comparison) !== never;
}

/** Collects fields and comparisons that have been invalid for every event type so far. */
class Problems {
  readonly #filter: string;
  readonly #events: readonly EventFormat[];
  readonly #formats: readonly EventFormat[];
  readonly #problems = new Map<number, (() => Error) | undefined>();

  constructor(filter: string, events: readonly EventFormat[], formats: readonly EventFormat[]) {
    this.#filter = filter;
    this.#events = events;
    this.#formats = formats;
  }

  /** The field or comparison at `at` is valid for at least one event type. */
  fine(at: number): void {
    this.#problems.set(at, undefined);
  }

  unknownField(name: string, at: number): void {
    this.#note(at, () => {
      if (this.#formats.some((format) => format.name === name || format.system === name))
        return this.#fail(
          at,
          `${quoted(name)} is an event, not a field`,
          'write system/event before the colon',
        );
      const fields = this.#events.flatMap(({ fields, commonFields }) => [...fields, ...commonFields]);
      const known = new Set([...virtualNames, ...fields.map(({ name }) => name)]);
      const near = nearNames(name, [...known].slice(0, maxCompared));
      const remedy =
        near.length > 0 ? `did you mean ${near.map(quoted).join(' or ')}?` : "see the event's format";
      return this.#fail(at, `no such event has a field ${quoted(name)}`, remedy);
    });
  }

  unsuitable(at: number, problem: string, remedy: string): void {
    this.#note(at, () => this.#fail(at, problem, remedy));
  }

  /** Throws the first problem that occurred for all event types. */
  check(): void {
    const places = [...this.#problems.keys()].sort((a, b) => a - b);
    for (const at of places) {
      const problem = this.#problems.get(at);
      if (problem !== undefined) throw problem();
    }
  }

  #note(at: number, problem: () => Error): void {
    if (!this.#problems.has(at)) this.#problems.set(at, problem);
  }

  #fail(at: number, problem: string, remedy: string): Error {
    return filterFailure(this.#filter, at, problem, remedy);
  }
}

/** Names that can be used like fields; trace-cmd has the first two. A field with the same name takes precedence. */
const virtualNames = ['COMM', 'CPU', 'PID', 'TIMESTAMP'] as const;

type Operand =
  | { readonly kind: 'constant'; readonly value: bigint }
  | { readonly kind: 'narrow'; readonly read: Narrow }
  | { readonly kind: 'wide'; readonly read: Wide; readonly field?: Field };

/** Compiles a filter for one event type. A method returns undefined for a part that cannot be used with this type. */
class Compiler {
  readonly #filter: string;
  readonly #format: EventFormat;
  readonly #names: FilterNames;
  readonly #problems: Problems;

  constructor(filter: string, format: EventFormat, names: FilterNames, problems: Problems) {
    this.#filter = filter;
    this.#format = format;
    this.#names = names;
    this.#problems = problems;
  }

  condition(node: Condition): Test {
    switch (node.kind) {
      case 'compare':
        return this.#compare(node.left, node.op, node.right, node.at) ?? never;
      case 'nonzero': {
        const operand = this.#operand(node.value);
        return operand === undefined ? never : ordered(operand, '!=', { kind: 'constant', value: 0n });
      }
      case 'not': {
        const test = this.condition(node.operand);
        if (test === always) return never;
        return test === never ? always : (event) => !test(event);
      }
      case 'and': {
        const [left, right] = [this.condition(node.left), this.condition(node.right)];
        if (left === never || right === never) return never;
        if (left === always) return right;
        return right === always ? left : (event) => left(event) && right(event);
      }
      case 'or': {
        const [left, right] = [this.condition(node.left), this.condition(node.right)];
        if (left === always || right === always) return always;
        if (left === never) return right;
        return right === never ? left : (event) => left(event) || right(event);
      }
      default:
        return node satisfies never;
    }
  }

  #compare(left: Value, op: Comparison, right: Value, at: number): Test | undefined {
    if (left.kind === 'text') {
      if (right.kind === 'text')
        throw this.#fail(at, 'comparison of two strings', 'compare a field with a string');
      if (op === '=~' || op === '!~')
        throw this.#fail(at, 'the regular expression is on the left', 'write it on the right');
      return this.#compare(right, mirrored[op], left, at);
    }
    if (right.kind === 'text') return this.#compareText(left, op, right, at);
    if (op === '=~' || op === '!~')
      throw this.#fail(right.at, 'not a regular expression', 'write it in quotes');
    const [a, b] = [this.#operand(left), this.#operand(right)];
    if (a === undefined || b === undefined) return undefined;
    return a.kind === 'constant' ? ordered(b, mirrored[op], a) : ordered(a, op, b);
  }

  #compareText(
    left: Value,
    op: Comparison,
    right: Extract<Value, { readonly kind: 'text' }>,
    at: number,
  ): Test | undefined {
    if (left.kind !== 'field') throw this.#fail(left.at, 'not a field', 'compare a field with a string');
    if (op !== '==' && op !== '!=' && op !== '=~' && op !== '!~') {
      const character = this.#character(left, right);
      if (character !== undefined) return ordered(character.operand, op, character.constant);
      throw this.#fail(at, `cannot compare strings with ${op}`, 'use ==, !=, =~ or !~');
    }
    if (op === '==' || op === '!=') {
      const character = this.#character(left, right);
      if (character !== undefined) return ordered(character.operand, op, character.constant);
    }
    const text = this.#text(left.name, left.at);
    if (text === undefined) return undefined;
    const constant =
      op === '==' || op === '!=' ? right.text.replaceAll(`\\${right.quote}`, right.quote) : right.text;
    try {
      return compareText(text, op, constant);
    } catch (error) {
      if (!(error instanceof PatternError)) throw error;
      const problem = `${quoted(right.text)} is not a regular expression: ${error.message}`;
      throw this.#fail(
        right.at,
        problem,
        'put a backslash before special characters to match them literally',
      );
    }
  }

  /** `'c'` means the character code if the field is a number. */
  #character(
    left: Extract<Value, { readonly kind: 'field' }>,
    { text, quote }: Extract<Value, { readonly kind: 'text' }>,
  ): { readonly operand: Operand; readonly constant: Operand } | undefined {
    if (quote !== "'" || !/^[\x20-\x7e]$/.test(text)) return undefined;
    if (fieldOf(this.#format, left.name)?.content !== 'integer') return undefined;
    const operand = this.#operand(left);
    return operand && { operand, constant: { kind: 'constant', value: BigInt(text.charCodeAt(0)) } };
  }

  #text(name: string, at: number): Text | undefined {
    const field = fieldOf(this.#format, name);
    if (field === undefined && name === 'COMM') {
      this.#problems.fine(at);
      return taskText(this.#names);
    }
    if (field === undefined) {
      if (isVirtual(name)) this.#problems.unsuitable(at, `${name} is a number`, 'compare it with a number');
      else this.#problems.unknownField(name, at);
      return undefined;
    }
    const text = fieldText(field, this.#names);
    if (text === undefined)
      this.#problems.unsuitable(at, `${quoted(name)} has no text`, 'compare another field');
    else this.#problems.fine(at);
    return text;
  }

  #operand(node: Value): Operand | undefined {
    switch (node.kind) {
      case 'number':
        return { kind: 'constant', value: node.value };
      case 'field':
        return this.#field(node.name, node.at);
      case 'arithmetic': {
        const [left, right] = [this.#operand(node.left), this.#operand(node.right)];
        if (left === undefined || right === undefined) return undefined;
        const read = calculate(wideOf(left), node.op, wideOf(right));
        if (left.kind !== 'constant' || right.kind !== 'constant') return { kind: 'wide', read };
        const value = calculated(left.value, node.op, right.value);
        return value === undefined ? undefined : { kind: 'constant', value };
      }
      case 'text':
        throw this.#fail(node.at, 'arithmetic on a string', 'use a number');
      default:
        return node satisfies never;
    }
  }

  #field(name: string, at: number): Operand | undefined {
    const field = fieldOf(this.#format, name);
    if (field === undefined) {
      const virtual = virtualOperand(name);
      if (virtual !== undefined) this.#problems.fine(at);
      else if (name === 'COMM')
        this.#problems.unsuitable(at, 'COMM is a string', 'compare it with a string in quotes');
      else this.#problems.unknownField(name, at);
      return virtual;
    }
    if (field.content !== 'integer') {
      const problem = `${quoted(name)} is not a number`;
      this.#problems.unsuitable(
        at,
        problem,
        field.content === 'text' ? 'compare it with a string in quotes' : 'compare another field',
      );
      return undefined;
    }
    this.#problems.fine(at);
    const narrow = narrowField(field);
    return narrow === undefined
      ? { kind: 'wide', read: wideField(field), field }
      : { kind: 'narrow', read: narrow };
  }

  #fail(at: number, problem: string, remedy: string): Error {
    return filterFailure(this.#filter, at, problem, remedy);
  }
}

const mirrored = { '==': '==', '!=': '!=', '<': '>', '>': '<', '<=': '>=', '>=': '<=' } as const;

function isVirtual(name: string): boolean {
  return virtualNames.some((each) => each === name);
}

function virtualOperand(name: string): Operand | undefined {
  switch (name) {
    case 'CPU':
      return { kind: 'narrow', read: ({ cpu }) => cpu };
    case 'PID':
      return { kind: 'narrow', read: ({ pid }) => pid };
    case 'TIMESTAMP':
      return { kind: 'wide', read: ({ timestamp }) => timestamp };
    default:
      return undefined;
  }
}

function wideOf(operand: Operand): Wide {
  if (operand.kind === 'constant') return () => operand.value;
  return operand.kind === 'narrow' ? widened(operand.read) : operand.read;
}

function ordered(left: Operand, order: Order, right: Operand): Test {
  if (right.kind === 'constant') {
    if (left.kind === 'narrow') return compareNarrow(left.read, order, right.value);
    if (left.kind === 'wide' && left.field !== undefined)
      return compareWideField(left.field, order, right.value);
  }
  return compareWide(wideOf(left), order, wideOf(right));
}
