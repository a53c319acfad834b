/** A pattern that is not a regular expression. `at`: offset in it. */
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

/** What a backslash makes of a character: trace-cmd uses basic expressions, with the extensions of the GNU C library. */
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
 * Compiles a POSIX basic regular expression (with GNU's `\|`, `\+`, `\?`), which ignores case, as regcomp(3) does for
 * trace-cmd. Throws PatternError.
 * @param whole whether it must match a whole text
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
  /** At the beginning of an alternative, where `^` means the start and `*` itself. */
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
      if (next === undefined) throw new PatternError(at, 'a backslash at its end');
      if (next === '{' && !isStart) {
        const interval = /^\\\{(\d{1,4}(?:,\d{0,4})?)\\\}/.exec(pattern.slice(at, at + 16))?.[1];
        if (interval === undefined) throw new PatternError(at, 'a \\{ without numbers and \\}');
        source += `{${interval}}`;
        at += interval.length + 4;
        continue;
      }
      if (next === '(') groups++;
      if (/[1-9]/.test(next) && Number(next) > groups)
        throw new PatternError(at, `a \\${next} without its \\(`);
      source += escaped[next] ?? (/[1-9]/.test(next) ? `\\${next}` : literal(next));
      isStart = next === '(' || next === '|';
      at += 2;
      continue;
    }
    // a second star has nothing more to repeat, and JavaScript refuses it
    const isRepeated = character === '*' && /(?<!\\)\*$/.test(source);
    if (!isRepeated) source += plain(pattern, at, isStart);
    // after a leading ^ a * is still a star and nothing to repeat with
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

/** `[…]`, in which a backslash is a character like any other. */
function bracketOf(pattern: string, start: number): { readonly set: string; readonly end: number } {
  let at = start + 1;
  const isNegated = pattern[at] === '^';
  if (isNegated) at++;
  let set = '';
  for (let isFirst = true; ; isFirst = false) {
    const character = pattern[at];
    if (character === undefined) throw new PatternError(start, 'a [ without its ]');
    if (character === ']' && !isFirst) break;
    const named = /^\[:([a-z]+):\]/.exec(pattern.slice(at, at + 16))?.[1];
    if (named !== undefined) {
      const members = classes[named];
      if (members === undefined) throw new PatternError(at, `no character class [:${named}:]`);
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
