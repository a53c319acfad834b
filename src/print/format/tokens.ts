/** The kind of a token. `none`: the end, or an invalid byte. */
export type TokenType = 'none' | 'newline' | 'op' | 'delimiter' | 'item' | 'text' | 'character';

export interface Token {
  readonly type: TokenType;
  readonly text: string;
}

const end: Token = { type: 'none', text: '' };

/**
 * Splits a print format into tokens as libtraceevent does, and fails for the same formats. Takes linear time.
 */
export class Tokens {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** The next token, which may be a newline. */
  next(): Token {
    for (;;) {
      const character = this.#text[this.#at];
      if (character === undefined) return end;
      const type = typeOf(character);
      if (type === 'space') {
        this.#at++;
        continue;
      }
      return type === 'none' ? end : this.#read(type, character);
    }
  }

  /** The next token that is not a newline. */
  nextItem(): Token {
    for (;;) {
      const token = this.next();
      if (token.type !== 'newline') return token;
    }
  }

  #read(type: TokenType, character: string): Token {
    switch (type) {
      case 'op':
        return { type, text: this.#operator(character) };
      case 'text':
      case 'character':
        return this.#quoted(type, character);
      case 'item':
        return { type, text: this.#item() };
      default:
        this.#at++;
        return { type, text: character };
    }
  }

  #item(): string {
    const word = /\w*/y;
    word.lastIndex = this.#at;
    const [text = ''] = word.exec(this.#text) ?? [];
    this.#at += text.length;
    return text;
  }

  #operator(character: string): string {
    const text = this.#text;
    const next = text[this.#at + 1];
    let length = 1;
    if (character === '-' && next === '>') length = 2;
    else if ('-+|&<>'.includes(character)) {
      if (next === character) length = '<>'.includes(character) && text[this.#at + 2] === '=' ? 3 : 2;
      else if (next === '=') length = 2;
    } else if ('!='.includes(character) && next === '=') length = 2;
    const from = this.#at;
    this.#at += length;
    return text.slice(from, this.#at);
  }

  /** A quoted text without its quotes, escapes unchanged. Adjacent texts are joined. */
  #quoted(type: 'text' | 'character', quote: string): Token {
    let text = '';
    for (;;) {
      const from = ++this.#at;
      let before = quote;
      for (;;) {
        const character = this.#text[this.#at];
        if (character === undefined || character > '\x7e' || character === '\0') return end;
        // as in libtraceevent, a quote right after an escaped backslash counts as escaped
        const isEscaped = before === '\\' && character !== '\\';
        const goesOn = (character !== quote && character >= ' ') || character === '\n';
        if (!goesOn && !isEscaped) break;
        before = character;
        this.#at++;
      }
      text += this.#text.slice(from, this.#at);
      this.#at++;
      if (type === 'character') return { type, text };
      const space = /\s*/y;
      space.lastIndex = this.#at;
      const [gap = ''] = space.exec(this.#text) ?? [];
      if (this.#text[this.#at + gap.length] !== '"') return { type, text };
      this.#at += gap.length;
    }
  }
}

function typeOf(character: string): TokenType | 'space' {
  if (character === '\n') return 'newline';
  if (/[\t\v\f\r ]/.test(character)) return 'space';
  if (/\w/.test(character)) return 'item';
  if (character === "'") return 'character';
  if (character === '"') return 'text';
  if (character < ' ' || character > '\x7e') return 'none';
  return '(),'.includes(character) ? 'delimiter' : 'op';
}
