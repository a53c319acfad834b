import { quoted } from '../../base/quoted.ts';
import { filterFailure } from './filter-error.ts';

export interface Token {
  readonly kind: 'name' | 'number' | 'text' | 'op' | 'end';
  /** As in the filter, but without quotes if `kind` is 'text'. */
  readonly text: string;
  /** Offset in the whole filter. */
  readonly at: number;
  /** The quote character around a text. */
  readonly quote?: '"' | "'";
}

/** Maximum number of tokens; also limits the recursion of the parser and the filter. */
const maxTokens = 1000;

const blank = /\s*/y;
const operators = /&&|\|\||==|!=|<=|>=|=~|!~|<<|>>|[<>&|!()+\-*/%^]/y;
const word = /\w+/y;
/** Match a text in quotes, in which a backslash escapes the next character. */
const texts = { '"': /"((?:[^"\\]|\\.)*)"/sy, "'": /'((?:[^'\\]|\\.)*)'/sy } as const;

/**
 * Splits a filter's expression, from `start` to the end of `filter`. The last token is 'end'. Throws Failure (usage).
 */
export function tokensOf(filter: string, start: number): Token[] {
  const tokens: Token[] = [];
  let at = start;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const match = pattern.exec(filter);
    if (match !== null) at = pattern.lastIndex;
    return match;
  };
  for (;;) {
    take(blank);
    const from = at;
    if (from >= filter.length) {
      tokens.push({ kind: 'end', text: '', at: filter.length });
      return tokens;
    }
    if (tokens.length >= maxTokens)
      throw filterFailure(
        filter,
        from,
        `more than ${maxTokens} words and operators`,
        'split it into several filters',
      );
    const first = filter[from]!;
    if (first === '"' || first === "'") {
      const text = take(texts[first])?.[1];
      if (text === undefined)
        throw filterFailure(filter, from, 'unterminated string', `add ${first} at its end`);
      tokens.push({ kind: 'text', text, at: from, quote: first });
      continue;
    }
    const name = take(word)?.[0];
    if (name !== undefined) {
      tokens.push({ kind: /^\d/.test(name) ? 'number' : 'name', text: name, at: from });
      continue;
    }
    const op = take(operators)?.[0];
    if (op === undefined) throw filterFailure(filter, from, `unexpected ${quoted(first)}`, remedyFor(first));
    tokens.push({ kind: 'op', text: op, at: from });
  }
}

function remedyFor(character: string): string {
  if (character === '=') return 'compare with ==';
  if (character === '~') return 'match a regular expression with =~';
  if (character === ':') return 'put the events before the first colon, as system/event';
  return 'see docs/filters.md';
}
