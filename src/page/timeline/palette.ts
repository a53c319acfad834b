import type { SliceKind } from '../../analysis/timeline/slice-kinds.ts';
import type { Theme } from '../parts/theme.ts';

/** The colours of Okabe and Ito, which people with colour-blindness can tell apart. */
const okabeIto = {
  orange: '#e69f00',
  sky: '#56b4e9',
  green: '#009e73',
  yellow: '#f0e442',
  blue: '#0072b2',
  vermilion: '#d55e00',
  purple: '#cc79a7',
} as const;

/** Tasks get one of these by their names. */
const ofTasks = [
  okabeIto.sky,
  okabeIto.green,
  okabeIto.orange,
  okabeIto.purple,
  okabeIto.blue,
  okabeIto.yellow,
] as const;

export type Pattern = 'hatch' | 'dots' | 'stripes' | 'cross' | undefined;

/** How a kind of slice looks; the pattern and the height tell kinds apart without the colour. */
export interface Look {
  readonly color: string;
  readonly pattern: Pattern;
  /** Part of the row's height. */
  readonly height: number;
  readonly says: string;
}

/** Undefined: the colour depends on the name. */
export const looks: Readonly<Record<SliceKind, Look>> = {
  running: { color: okabeIto.green, pattern: undefined, height: 1, says: 'runs' },
  idle: { color: '#8a8f98', pattern: undefined, height: 0.08, says: 'idle' },
  irq: { color: okabeIto.yellow, pattern: undefined, height: 1, says: 'interrupt' },
  softirq: { color: okabeIto.sky, pattern: 'stripes', height: 1, says: 'softirq' },
  preempted: { color: okabeIto.vermilion, pattern: 'hatch', height: 1, says: 'preempted by' },
  waking: { color: okabeIto.orange, pattern: 'dots', height: 1, says: 'woken, waits behind' },
  halted: { color: '#8a8f98', pattern: undefined, height: 0.16, says: 'halted' },
  hypervisor: { color: okabeIto.purple, pattern: undefined, height: 0.7, says: 'in the hypervisor' },
  paused: { color: '#8a8f98', pattern: 'stripes', height: 1, says: 'guest paused' },
  lost: { color: '#8a8f98', pattern: 'cross', height: 1, says: 'unknown' },
  mixed: { color: '#7d8899', pattern: undefined, height: 1, says: 'several, mostly' },
};

export interface Colors {
  readonly back: string;
  readonly band: string;
  readonly line: string;
  readonly text: string;
  readonly weak: string;
  readonly mark: string;
  readonly mixed: string;
  readonly wait: string;
}

export const colorsOf: Readonly<Record<Theme, Colors>> = {
  light: {
    back: '#ffffff',
    band: '#f3f5f7',
    line: '#d8dde3',
    text: '#1a1f26',
    weak: '#59626e',
    mark: '#000000',
    mixed: '#8793a3',
    wait: '#b34700',
  },
  dark: {
    back: '#12161b',
    band: '#191e25',
    line: '#2e3640',
    text: '#e4e8ed',
    weak: '#9aa5b1',
    mark: '#ffffff',
    mixed: '#66758a',
    wait: '#ff9d5c',
  },
};

/** The colour of a task, by its name without its number: threads of one program look alike. */
export function taskColor(name: string): string {
  let hash = 0;
  const end = name.lastIndexOf(':');
  for (let at = 0; at < (end < 0 ? name.length : end); at++) hash = (hash * 31 + name.charCodeAt(at)) | 0;
  return ofTasks[(hash >>> 0) % ofTasks.length] ?? okabeIto.sky;
}

/** Black or white, whichever can be read on a colour. */
export function inkOn(color: string): string {
  const [red, green, blue] = [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16));
  return red! * 0.299 + green! * 0.587 + blue! * 0.114 > 110 ? '#000000' : '#ffffff';
}

const tileSize = 8;

/** A pattern over a colour, to be drawn on a canvas. */
export function patternOf(
  context: CanvasRenderingContext2D,
  color: string,
  pattern: Pattern,
): string | CanvasPattern {
  if (pattern === undefined) return color;
  const tile = new OffscreenCanvas(tileSize, tileSize);
  const on = tile.getContext('2d')!;
  on.fillStyle = color;
  on.fillRect(0, 0, tileSize, tileSize);
  on.strokeStyle = on.fillStyle = 'rgba(0, 0, 0, 0.55)';
  on.lineWidth = 1.5;
  on.beginPath();
  const line = (x: number, y: number, toX: number, toY: number): void => {
    on.moveTo(x, y);
    on.lineTo(toX, toY);
  };
  if (pattern === 'hatch' || pattern === 'cross')
    for (const at of [-tileSize, 0, tileSize]) line(at, tileSize, at + tileSize, 0);
  if (pattern === 'cross') for (const at of [-tileSize, 0, tileSize]) line(at, 0, at + tileSize, tileSize);
  if (pattern === 'stripes') line(tileSize / 2, 0, tileSize / 2, tileSize);
  if (pattern === 'dots') on.fillRect(3, 3, 2, 2);
  on.stroke();
  return context.createPattern(tile, 'repeat') ?? color;
}
