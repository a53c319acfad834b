const maxQuotedLength = 64;
/** Control characters, and characters that change the direction of text. */
const steering = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** Untrusted text for a one-line message: in quotes, cut to a maximum length, with control characters escaped. */
export function quoted(text: string): string {
  return printable(
    JSON.stringify(text.length > maxQuotedLength ? `${text.slice(0, maxQuotedLength)}…` : text),
  );
}

/** Like `quoted`, but without quotes and not cut: for long texts such as paths. */
export function printable(text: string): string {
  return text.replaceAll(steering, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}

/**
 * A value as one line of JSON that is safe to print on a terminal: JSON.stringify does not escape U+009B, DEL and
 * similar characters.
 */
export function json(value: unknown): string {
  return JSON.stringify(value).replaceAll(steering, (character) =>
    Array.from(
      { length: character.length },
      (_, unit) => `\\u${character.charCodeAt(unit).toString(16).padStart(4, '0')}`,
    ).join(''),
  );
}
