import type { Token, Tokens } from 'marked';
import { lexer } from 'marked';
import { bold, escaped, filled, italic, literal, section, subsection, tagged } from './roff.ts';

/** A Markdown document as the body of a man page: `##` become sections, `###` subsections. Throws Error for unsupported elements. */
export function manOfMarkdown(markdown: string): string[] {
  return blocks(lexer(markdown));
}

/**
 * The text below a heading, up to the next heading of the same or a higher level, without the heading itself.
 * @throws Error if the heading does not exist: renaming it must not silently drop a section of a page
 */
export function sectionOf(markdown: string, heading: string): string {
  const tokens = lexer(markdown);
  const start = tokens.findIndex((token) => isHeading(token) && token.text === heading);
  const first = tokens[start];
  if (first === undefined || !isHeading(first)) throw new Error(`no heading "${heading}"`);
  const behind = tokens.slice(start + 1);
  const end = behind.findIndex((token) => isHeading(token) && token.depth <= first.depth);
  return behind
    .slice(0, end < 0 ? behind.length : end)
    .map(({ raw }) => raw)
    .join('');
}

function isHeading(token: Token): token is Tokens.Heading {
  return token.type === 'heading';
}

function isTable(token: Token): token is Tokens.Table {
  return token.type === 'table';
}

function isList(token: Token): token is Tokens.List {
  return token.type === 'list';
}

function blocks(tokens: readonly Token[]): string[] {
  return tokens.flatMap((token) => (token.type === 'space' ? [] : block(token)));
}

function block(token: Token): string[] {
  if (isHeading(token)) return [token.depth <= 2 ? section(plain(token)) : subsection(plain(token))];
  if (isTable(token)) return table(token);
  if (isList(token)) return token.items.flatMap((item) => ['.IP \\(bu 2', ...filled(inline(item.tokens))]);
  if (token.type === 'code') return literal(String(token['text']).trimEnd());
  if (token.type === 'paragraph') return ['.PP', ...filled(inline(childrenOf(token)))];
  throw new Error(`unsupported in a man page: ${token.type}: ${token.raw}`);
}

/** The first column becomes the term of its row; columns after the second are prefixed with their heading. */
function table({ header, rows }: Tokens.Table): string[] {
  const [first, ...others] = header;
  // a single heading in the first column is the title of the table
  const title =
    first !== undefined && others.every(({ text }) => text === '')
      ? ['.PP', ...filled(`${inline(first.tokens)}:`)]
      : [];
  return [
    ...title,
    ...rows.flatMap(([tag, ...cells]) =>
      tagged(
        inline(tag?.tokens ?? []),
        cells.flatMap((cell, index) => {
          const text = inline(cell.tokens);
          if (text === '') return [];
          return index === 0
            ? filled(text)
            : ['.br', ...filled(`${italic(`${others[index]?.text ?? ''}:`)} ${text}`)];
        }),
      ),
    ),
  ];
}

function inline(tokens: readonly Token[]): string {
  return tokens.map(inlineOne).join('');
}

function inlineOne(token: Token): string {
  switch (token.type) {
    case 'text': {
      const children = childrenOf(token);
      return children.length > 0 ? inline(children) : escaped(plain(token));
    }
    case 'escape':
      return escaped(plain(token));
    case 'codespan':
    case 'strong':
      return bold(plain(token));
    case 'em':
      return italic(plain(token));
    // links to other documents do not work from a man page
    case 'link':
      return inline(childrenOf(token));
    default:
      throw new Error(`unsupported in a man page: ${token.type}: ${token.raw}`);
  }
}

function childrenOf(token: Token): readonly Token[] {
  return 'tokens' in token && token.tokens !== undefined ? token.tokens : [];
}

/** Text without markup. The lexer leaves entities as they are; the documents have none. */
function plain(token: Token): string {
  const children = childrenOf(token);
  if (children.length > 0) return children.map(plain).join('');
  return 'text' in token ? String(token.text) : token.raw;
}
