export interface Glob {
  test(name: string): boolean;
}

/** One character, or `*` for any number of characters. */
type Token = '*' | ((character: string) => boolean);

/**
 * The kernel's glob of event names: `*`, `?`, and classes such as `[a-c_]` and `[!x]`; an unclosed bracket is a
 * literal. The time is at most proportional to the product of both lengths, whatever the pattern: this matters
 * because names come from the guest.
 */
export function globOf(pattern: string): Glob {
  const tokens = Array.from(
    pattern.matchAll(/\*+|\[([!^]?)(\]?[^\]]+)\]|./gsu),
    ([text, negated, members]): Token => {
      if (text.startsWith('*')) return '*';
      if (text === '?') return () => true;
      if (members === undefined) return (character) => character === text;
      const isMember = membersOf(members);
      return negated === '' ? isMember : (character) => !isMember(character);
    },
  );
  return { test: (name) => matches(tokens, Array.from(name)) };
}

/** A character class: characters and ranges; a backwards range matches nothing. */
function membersOf(text: string): (character: string) => boolean {
  const ranges = Array.from(
    text.matchAll(/(.)-(.)|(.)/gsu),
    ([, from = '', to = '', one]) => [one ?? from, one ?? to] as const,
  );
  return (character) => ranges.some(([from, to]) => from <= character && character <= to);
}

function matches(tokens: readonly Token[], name: readonly string[]): boolean {
  let token = 0;
  let at = 0;
  // where to continue when the last star matches one more
  let star = -1;
  let starAt = 0;
  while (at < name.length) {
    const wanted = tokens[token];
    if (wanted === '*') {
      star = token++;
      starAt = at;
    } else if (wanted?.(name[at] ?? '') === true) {
      token++;
      at++;
    } else if (star >= 0) {
      token = star + 1;
      at = ++starAt;
    } else return false;
  }
  return tokens.slice(token).every((rest) => rest === '*');
}
