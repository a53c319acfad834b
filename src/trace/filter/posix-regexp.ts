/** The pattern is not a valid regular expression. `at`: offset of the error. */
export class PatternError extends Error {
  readonly at: number;

  constructor(at: number, problem: string) {
    super(problem);
    this.at = at;
  }
}

const classes: Readonly<Record<string, string>> = {
  alpha: 'A-Za-z',
  digit: '0-9',
  alnum: 'A-Za-z0-9',
  upper: 'A-Z',
  lower: 'a-z',
  space: '\\s',
  blank: ' \\t',
  punct: '!-\\/:-@\\[-`{-~',
  print: ' -~',
  graph: '!-~',
  cntrl: '\\x00-\\x1f\\x7f',
  xdigit: 'A-Fa-f0-9',
};

/** Escape sequences of basic regular expressions with glibc's extensions, as used by trace-cmd. */
const escaped: Readonly<Record<string, string>> = {
  '(': '(',
  ')': ')',
  '|': '|',
  '+': '+',
  '?': '?',
  w: '\\w',
  W: '\\W',
  s: '\\s',
  S: '\\S',
  b: '\\b',
  B: '\\B',
  '<': '\\b(?=\\w)',
  '>': '\\b(?<=\\w)',
  '`': '^',
  "'": '$',
};

/**
 * Compiles a POSIX basic regular expression (with GNU's `\|`, `\+`, `\?`), ignoring case, as trace-cmd does with
 * regcomp(3). Throws PatternError.
 * @param whole whether it must match the whole text
 */
export function posixRegExp(pattern: string, whole = false): RegExp {
  const source = sourceOf(pattern);
  try {
    return new RegExp(whole ? `^(?:${source})$` : source, 'is');
  } catch {
    throw new PatternError(0, 'not a regular expression');
  }
}

function sourceOf(pattern: string): string {
  let source = '';
  /** Whether `at` is the beginning of an alternative, where `^` is an anchor and `*` is literal. */
  let isStart = true;
  let groups = 0;
  for (let at = 0; at < pattern.length; ) {
    const character = pattern[at]!;
    if (character === '[') {
      const { set, end } = bracketOf(pattern, at);
      source += set;
      at = end;
      isStart = false;
      continue;
    }
    if (character === '\\') {
      const next = pattern[at + 1];
      if (next === undefined) throw new PatternError(at, 'trailing backslash');
      if (next === '{' && !isStart) {
        const interval = /^\\\{(\d{1,4}(?:,\d{0,4})?)\\\}/.exec(pattern.slice(at, at + 16))?.[1];
        if (interval === undefined) throw new PatternError(at, 'invalid \\{…\\}');
        source += `{${interval}}`;
        at += interval.length + 4;
        continue;
      }
      if (next === '(') groups++;
      if (/[1-9]/.test(next) && Number(next) > groups) throw new PatternError(at, `\\${next} without \\(`);
      source += escaped[next] ?? (/[1-9]/.test(next) ? `\\${next}` : literal(next));
      isStart = next === '(' || next === '|';
      at += 2;
      continue;
    }
    // a second star has no effect, and is an error in JavaScript
    const isRepeated = character === '*' && /(?<!\\)\*$/.test(source);
    if (!isRepeated) source += plain(pattern, at, isStart);
    // a * after a leading ^ is still literal
    isStart = isStart && character === '^';
    at++;
  }
  return source;
}

function plain(pattern: string, at: number, isStart: boolean): string {
  const character = pattern[at]!;
  if (character === '.') return '.';
  if (character === '*') return isStart ? '\\*' : '*';
  if (character === '^') return isStart && pattern[at - 1] !== '^' ? '^' : '\\^';
  if (character === '$') {
    const rest = pattern.slice(at + 1, at + 3);
    return rest === '' || rest === '\\)' || rest === '\\|' ? '$' : '\\$';
  }
  return literal(character);
}

function literal(character: string): string {
  return /[\\^$.*+?()[\]{}|/]/.test(character) ? `\\${character}` : character;
}

/** Parses `[…]`, in which a backslash is an ordinary character. */
function bracketOf(pattern: string, start: number): { readonly set: string; readonly end: number } {
  let at = start + 1;
  const isNegated = pattern[at] === '^';
  if (isNegated) at++;
  let set = '';
  for (let isFirst = true; ; isFirst = false) {
    const character = pattern[at];
    if (character === undefined) throw new PatternError(start, '[ without ]');
    if (character === ']' && !isFirst) break;
    const named = /^\[:([a-z]+):\]/.exec(pattern.slice(at, at + 16))?.[1];
    if (named !== undefined) {
      const members = classes[named];
      if (members === undefined) throw new PatternError(at, `unknown character class [:${named}:]`);
      set += members;
      at += named.length + 4;
      continue;
    }
    const isRange = character === '-' && !isFirst && pattern[at + 1] !== ']' && set !== '';
    set += isRange ? '-' : /[\\^\][/-]/.test(character) ? `\\${character}` : character;
    at++;
  }
  return { set: `[${isNegated ? '^' : ''}${set}]`, end: at + 1 };
}
