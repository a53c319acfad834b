/** One value of one side. */
export interface Point {
  /** Label on the x axis; points are sorted by it. */
  readonly at: string;
  readonly series: string;
  readonly value: number;
}

/** SVG of one chart of the given size. */
export type Panel = (width: number, height: number) => string;

const colours: Readonly<Record<string, string>> = {
  'c-pump': '#7f8c8d',
  agent: '#1f77b4',
  cat: '#d9822b',
  'trace-cmd': '#8e44ad',
};
const left = 50;
const right = 20;
const top = 44;
const bottom = 30;

interface Frame {
  readonly labels: readonly string[];
  readonly series: readonly string[];
  readonly slot: number;
  /** The y coordinate of a value. */
  y(value: number): number;
  readonly svg: string;
}

/** Bar chart: one group per label, one bar per series. */
export function bars(title: string, points: readonly Point[]): Panel {
  return (width, height) => {
    const frame = frameOf(title, points, width, height);
    const bar = (frame.slot * 0.8) / frame.series.length;
    const drawn = points.map(({ at, series, value }) => {
      const x = left + frame.slot * (frame.labels.indexOf(at) + 0.1) + bar * frame.series.indexOf(series);
      const y = frame.y(value);
      return rectangle(x, y, bar * 0.9, frame.y(0) - y, series);
    });
    return frame.svg + drawn.join('');
  };
}

/** Line chart: one line per series, points evenly spaced in the order of their labels. */
export function lines(title: string, points: readonly Point[]): Panel {
  return (width, height) => {
    const frame = frameOf(title, points, width, height);
    const drawn = frame.series.map((series) => {
      const places = points
        .filter((point) => point.series === series)
        .map(({ at, value }) => {
          const x = left + frame.slot * (frame.labels.indexOf(at) + 0.5);
          return `${x.toFixed(1)},${frame.y(value).toFixed(1)}`;
        });
      const dots = places.map((place) => {
        const [x = '', y = ''] = place.split(',');
        return `<circle cx="${x}" cy="${y}" r="3" fill="${colourOf(series)}"/>`;
      });
      const line = `<polyline points="${places.join(' ')}" fill="none" stroke="${colourOf(series)}" stroke-width="2"/>`;
      return line + dots.join('');
    });
    return frame.svg + drawn.join('');
  };
}

function frameOf(title: string, points: readonly Point[], width: number, height: number): Frame {
  const labels = [...new Set(points.map(({ at }) => at))];
  const series = [...new Set(points.map((point) => point.series))];
  const most = niceAbove(Math.max(...points.map(({ value }) => value)));
  const base = height - bottom;
  const slot = (width - left - right) / labels.length;
  const y = (value: number): number => base - (value / most) * (base - top);
  const ticks = [0, most / 4, most / 2, (3 * most) / 4, most].map(
    (value) =>
      `<line x1="${left}" x2="${width - right}" y1="${y(value)}" y2="${y(value)}" stroke="#ddd"/>` +
      text(left - 6, y(value) + 4, String(Number(value.toPrecision(3))), 'end'),
  );
  const names = labels.map((label, index) => text(left + slot * (index + 0.5), base + 16, label, 'middle'));
  const legend = series.map(
    (name, index) =>
      rectangle(left + index * 80, 28, 9, 9, name) + text(left + index * 80 + 13, 36, name, 'start'),
  );
  const svg = `${text(left, 18, title, 'start', 'font-weight="bold"')}${ticks.join('')}${names.join('')}${legend.join('')}`;
  return { labels, series, slot, y, svg };
}

/** The next 1, 2, 4 or 8 times a power of ten, so that its quarters are round numbers. */
function niceAbove(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 4, 8, 10].find((step) => step * power >= value) ?? 10) * power;
}

function text(x: number, y: number, what: string, anchor: string, more = ''): string {
  const safe = what.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}" ${more}>${safe}</text>`;
}

function rectangle(x: number, y: number, width: number, height: number, series: string): string {
  const at = `x="${x.toFixed(1)}" y="${y.toFixed(1)}" width="${width.toFixed(1)}" height="${height.toFixed(1)}"`;
  return `<rect ${at} fill="${colourOf(series)}"/>`;
}

function colourOf(series: string): string {
  return colours[series] ?? '#333';
}
