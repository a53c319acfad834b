/** Maximum line length of a page's source; readers refill paragraphs. */
const sourceColumns = 78;

const named: Readonly<Record<string, string>> = {
  '\\': '\\e',
  // a plain - is rendered as a hyphen, which a shell does not accept when copied from the page
  '-': '\\-',
  "'": '\\(aq',
  '"': '\\(dq',
  '`': '\\(ga',
  '^': '\\(ha',
  '~': '\\(ti',
};

/** Escapes text so that troff prints it unchanged. */
export function escaped(text: string): string {
  return text.replace(
    /[\\\-'"`^~]|[^\x20-\x7e\n\t]/gu,
    (character) =>
      named[character] ?? `\\[u${character.codePointAt(0)?.toString(16).toUpperCase().padStart(4, '0')}]`,
  );
}

export function bold(text: string): string {
  return `\\fB${escaped(text)}\\fR`;
}

export function italic(text: string): string {
  return `\\fI${escaped(text)}\\fR`;
}

/** troff would treat a line that begins with a control character as a request. */
function asText(line: string): string {
  return /^[.']/.test(line) ? `\\&${line}` : line;
}

/** Breaks a paragraph of roff text into lines at spaces. */
export function filled(roff: string): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of roff.split(/\s+/).filter((part) => part !== '')) {
    if (line !== '' && line.length + 1 + word.length > sourceColumns) {
      lines.push(asText(line));
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  if (line !== '') lines.push(asText(line));
  return lines;
}

/** Preformatted lines. */
export function literal(text: string): string[] {
  const lines = text.split('\n').map((line) => asText(escaped(line)));
  return ['.PP', '.RS 4', '.EX', ...lines, '.EE', '.RE'];
}

/** A term and its description; both are roff text. */
export function tagged(tag: string, body: readonly string[]): string[] {
  return ['.TP', asText(tag), ...body];
}

/** Heading of a section, in capitals. */
export function section(text: string): string {
  return `.SH "${escaped(text.toUpperCase())}"`;
}

export function subsection(text: string): string {
  return `.SS "${escaped(text)}"`;
}
