/** `node dist/bench/report/plot.js RESULTS.json PLOT.svg`: draws the results of the benchmarks. */
import { writeFileSync } from 'node:fs';
import { readResults } from './results.ts';
import { bars, lines, type Panel, type Point } from './panels.ts';
import type { Row, Table } from './table.ts';

const panelWidth = 440;
const panelHeight = 250;
const acrossCount = 2;

/** Panels in rows of two, a title above. */
function sheet(title: string, panels: readonly Panel[]): string {
  const rows = Math.ceil(panels.length / acrossCount);
  const width = panelWidth * acrossCount;
  const height = 40 + panelHeight * rows;
  const placed = panels.map((panel, index) => {
    const x = (index % acrossCount) * panelWidth;
    const y = 40 + Math.floor(index / acrossCount) * panelHeight;
    return `<g transform="translate(${x} ${y})">${panel(panelWidth, panelHeight)}</g>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="11">`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    `<text x="20" y="26" font-size="16" font-weight="bold">${title}</text>`,
    ...placed,
    '</svg>\n',
  ].join('\n');
}

function costPanel({ name, rows }: Table): Panel {
  return bars(`${name}: CPU s/GB by MB/s per CPU`, points(rows, 'MB/s per CPU'));
}

function growthPanels({ name, rows }: Table): Panel[] {
  const varied = [...new Set(rows.map((row) => String(row['varied'])))];
  return varied.map((what) => {
    const ours = rows.filter((row) => row['varied'] === what);
    return lines(`${name}: CPU s/GB by ${what}`, points(ours, 'value'));
  });
}

/** JSON has no NaN: values that were not measured are null, and are skipped. */
function points(rows: readonly Row[], along: string): Point[] {
  return rows.flatMap((row) => {
    const value = row['CPU s/GB'];
    return typeof value === 'number' ? [{ at: String(row[along]), series: String(row['side']), value }] : [];
  });
}

const [from, to] = process.argv.slice(2);
if (from === undefined || to === undefined) {
  process.stderr.write('usage: plot.js RESULTS.json PLOT.svg\n');
  process.exitCode = 2;
} else {
  const { host, tables } = readResults(from);
  const panels = [
    ...tables.filter(({ name }) => name.startsWith('cost')).map(costPanel),
    ...tables.filter(({ name }) => name.startsWith('growth')).flatMap(growthPanels),
  ];
  writeFileSync(to, sheet(`${host.cpu}, ${host.cpus} CPUs, Linux ${host.kernel}, Node ${host.node}`, panels));
}
