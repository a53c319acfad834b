/**
 * Draws terminal output as an SVG picture of a terminal window. docs/demo.svg was made with:
 *
 *     npm run --silent demo > demo.txt 2>&1
 *     node dist/tools/demo/picture.js 'npm run demo' 1-24,52-53,57,63-66,78-90,97-117,119-131,145-151 < demo.txt > docs/demo.svg
 *
 * RANGES: lines to show, from 1; `…` replaces each gap. Default: all lines.
 */
import { readFileSync } from 'node:fs';

const columns = 120;
const fontPx = 13;
const columnPx = 7.83;
const linePx = 18;
const marginPx = 16;
const titlePx = 34;

/** The lines of `text` in `ranges`, as `1-3,7-9`. */
function selected(text: string, ranges: string): string[] {
  const lines = text.trimEnd().split('\n');
  const shown: string[] = [];
  let next = 1;
  for (const range of ranges.split(',')) {
    const [, from = '', to = from] = /^(\d+)(?:-(\d+))?$/.exec(range) ?? [];
    if (from === '') throw new Error(`not a range of lines: ${range}`);
    if (Number(from) > next) shown.push('…');
    shown.push(...lines.slice(Number(from) - 1, Number(to)));
    next = Number(to) + 1;
  }
  if (next <= lines.length) shown.push('…');
  return shown;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function colorOf(line: string): string {
  if (line.startsWith('$ ')) return '#ffffff';
  if (/^\[ *[\d.]+ s\]/.test(line)) return '#8fd18f';
  if (/^ {12}\S/.test(line)) return '#8ab8e6';
  return '#d0d0d0';
}

/** @param lines longer ones are cut at 120 columns */
function picture(command: string, lines: readonly string[]): string {
  const width = Math.ceil(columns * columnPx + 2 * marginPx);
  const all = [`$ ${command}`, ...lines];
  const height = titlePx + all.length * linePx + marginPx;
  const buttons = ['#e0605a', '#e0b04a', '#6fbf5f'].map(
    (color, index) => `<circle cx="${20 + index * 20}" cy="17" r="6" fill="${color}"/>`,
  );
  const texts = all.map((line, index) => {
    const shown = line.length > columns ? `${line.slice(0, columns - 1)}…` : line;
    const y = titlePx + (index + 1) * linePx - 4;
    return `<text x="${marginPx}" y="${y}" fill="${colorOf(line)}" xml:space="preserve">${escaped(shown)}</text>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace" font-size="${fontPx}">`,
    `<rect width="${width}" height="${height}" rx="8" fill="#1e2227"/>`,
    ...buttons,
    ...texts.filter((text) => !text.endsWith('preserve"></text>')),
    '</svg>',
    '',
  ].join('\n');
}

const [command, ranges = '1-100000'] = process.argv.slice(2);
if (command === undefined || process.argv.length > 4) {
  process.stderr.write('usage: picture.js COMMAND [RANGES] < TEXT > SVG\n');
  process.exitCode = 2;
} else {
  process.stdout.write(picture(command, selected(readFileSync(0, 'utf8'), ranges)));
}
