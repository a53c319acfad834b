import type { Token, Tokens, TokenType } from './tokens.ts';

/** Thrown if a print format cannot be parsed; the event's fields are printed instead. */
export class PrintFormatError extends Error {}

/** Throws PrintFormatError if the token is a different one. */
export function expect(token: Token, type: TokenType, text: string): void {
  if (token.type !== type || token.text !== text)
    throw new PrintFormatError(`${JSON.stringify(token.text)} in place of ${JSON.stringify(text)}`);
}

/** The next token. Throws PrintFormatError if it is of another type. */
export function expectNext(tokens: Tokens, type: TokenType): Token {
  const token = tokens.next();
  if (token.type !== type) throw new PrintFormatError(`${JSON.stringify(token.text)} is unexpected`);
  return token;
}
