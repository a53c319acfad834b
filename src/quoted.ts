const maxQuotedLength = 64;

/** Text of unknown origin made fit for a one-line message: in quotes, cut, nothing in it that steers a terminal. */
export function quoted(text: string): string {
  return printable(
    JSON.stringify(text.length > maxQuotedLength ? `${text.slice(0, maxQuotedLength)}…` : text),
  );
}

/** The same without quotes and uncut, for what is long by nature, e.g. a path. */
export function printable(text: string): string {
  return text.replaceAll(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`,
  );
}
