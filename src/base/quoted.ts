const maxQuotedLength = 64;
/** What steers a terminal, or turns the direction of writing. */
const steering = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** Text of unknown origin made fit for a one-line message: in quotes, cut, nothing in it that steers a terminal. */
export function quoted(text: string): string {
  return printable(
    JSON.stringify(text.length > maxQuotedLength ? `${text.slice(0, maxQuotedLength)}…` : text),
  );
}

/** The same without quotes and uncut, for what is long by nature, e.g. a path. */
export function printable(text: string): string {
  return text.replaceAll(steering, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}

/** A value as JSON on one line, fit for a terminal: JSON itself leaves U+009B, DEL and the like as they are. */
export function json(value: unknown): string {
  return JSON.stringify(value).replaceAll(steering, (character) =>
    Array.from(
      { length: character.length },
      (_, unit) => `\\u${character.charCodeAt(unit).toString(16).padStart(4, '0')}`,
    ).join(''),
  );
}
