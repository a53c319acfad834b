import { slice, sliceKinds } from '../../analysis/timeline/slice-kinds.ts';
import type { TimelineRow } from '../../analysis/timeline/timeline-index.ts';
import { firstEndingAfter } from '../data/columns.ts';
import type { Tile, Tiles } from '../data/tiles.ts';
import { duration, shown } from '../parts/text.ts';
import type { Theme } from '../parts/theme.ts';
import { gutterPx, type Layout, type PlacedRow, rulerPx } from './layout.ts';
import { colorsOf, inkOn, looks, patternOf, taskColor } from './palette.ts';
import type { SelectedSlice } from './selection.ts';
import { marks, type Viewport } from './viewport.ts';

const font = '12px system-ui, sans-serif';
const markPx = 110;
/** Slices that are narrower are drawn together, pixel by pixel. */
const narrowPx = 1;
const textPx = 28;
const letterPx = 6.4;

export interface WaitMark {
  readonly row: number;
  readonly from: number;
  readonly to: number;
}

export interface Drawn {
  readonly view: Viewport;
  readonly width: number;
  readonly height: number;
  readonly scroll: number;
  readonly layout: Layout;
  readonly tiles: Tiles;
  readonly waits: readonly WaitMark[];
  readonly selected: SelectedSlice | undefined;
  readonly focusRow: number | undefined;
  readonly pointer: { readonly x: number; readonly y: number } | undefined;
}

/** Draws a timeline on a canvas. */
export class Painter {
  readonly #context: CanvasRenderingContext2D;
  readonly #theme: Theme;
  readonly #fills = new Map<number, string | CanvasPattern>();
  readonly #colors: string[] = [];
  readonly #names: string[] = [];

  constructor(context: CanvasRenderingContext2D, theme: Theme) {
    this.#context = context;
    this.#theme = theme;
  }

  draw(what: Drawn): void {
    const { width, height, layout, scroll, view, tiles } = what;
    const context = this.#context;
    const colors = colorsOf[this.#theme];
    context.font = font;
    context.textBaseline = 'middle';
    context.fillStyle = colors.back;
    context.fillRect(0, 0, width, height);
    const plotPx = width - gutterPx;
    const nsPerPx = (view.to - view.from) / plotPx;
    const level = tiles.levelFor(nsPerPx);
    const times = marks(view, nsPerPx * markPx);
    context.save();
    context.beginPath();
    context.rect(0, rulerPx, width, height - rulerPx);
    context.clip();
    tiles.beginFrame();
    for (const place of layout.placed) {
      const top = rulerPx + place.top - scroll;
      if (top + place.height < rulerPx || top > height) continue;
      this.#drawBack(place, top, what);
      if (place.row === undefined) continue;
      context.save();
      context.beginPath();
      context.rect(gutterPx, top, plotPx, place.height);
      context.clip();
      for (const tile of tiles.visible(place.row.id, level, view.from, view.to))
        this.#drawTile(tile, place.row, top, place.height, view, nsPerPx, tiles.index.strings);
      context.restore();
    }
    tiles.endFrame();
    this.#drawMarks(what, nsPerPx);
    context.restore();
    this.#drawRuler(times, what, nsPerPx);
  }

  #drawBack({ row, title, height }: PlacedRow, top: number, { width, focusRow }: Drawn): void {
    const context = this.#context;
    const colors = colorsOf[this.#theme];
    if (row === undefined) {
      context.fillStyle = colors.band;
      context.fillRect(0, top, width, height);
      context.fillStyle = colors.text;
      context.font = `600 ${font}`;
      context.fillText(shown(title, 24), 8, top + height / 2 + 1);
      context.font = font;
      return;
    }
    if (row.id === focusRow) {
      context.fillStyle = colors.band;
      context.fillRect(0, top, width, height);
      context.fillStyle = colors.mark;
      context.fillRect(0, top, 3, height);
    }
    context.fillStyle = row.kind === 'cpu' ? colors.text : colors.weak;
    context.fillText(title, row.kind === 'cpu' ? 16 : 24, top + height / 2 + 1);
    context.fillStyle = colors.line;
    context.fillRect(gutterPx, top + height, width - gutterPx, 1);
  }

  #drawTile(
    tile: Tile,
    row: TimelineRow,
    top: number,
    height: number,
    { from, to }: Viewport,
    nsPerPx: number,
    strings: readonly string[],
  ): void {
    const slices = tile.slices!;
    const { start, dur, name, kind, busy, count } = slices;
    const context = this.#context;
    const colors = colorsOf[this.#theme];
    const [first, last] = [Math.max(from, tile.from), Math.min(to, tile.to)];
    // narrow slices of one pixel: which, and how much of it they work
    let pixel = -1;
    let work = 0;
    let most = 0;
    let mostName = -1;
    let isLost = false;
    // several slices have the colour of what takes most of their time
    const mixed = (of: number): string =>
      row.kind === 'vcpu' ? looks.running.color : of < 0 ? colors.mixed : this.#taskColor(of, strings);
    const flush = (): void => {
      if (pixel < 0) return;
      const tall = Math.max(1, Math.min(1, work) * height);
      context.fillStyle = isLost ? this.#fill(slice.lost) : mixed(mostName);
      context.fillRect(pixel, top + height - (isLost ? height : tall), 1, isLost ? height : tall);
      pixel = -1;
      work = 0;
      most = 0;
      mostName = -1;
      isLost = false;
    };
    for (let at = firstEndingAfter(slices, first); at < count && start[at]! < last; at++) {
      const begin = Math.max(first, start[at]!);
      const end = Math.min(last, start[at]! + dur[at]!);
      const x = gutterPx + (begin - from) / nsPerPx;
      const wide = (end - begin) / nsPerPx;
      const what = kind[at]!;
      if (wide < narrowPx) {
        const here = Math.floor(x);
        if (here !== pixel) flush();
        pixel = here;
        const part = wide * (busy[at]! / 255);
        work += part;
        if (part > most) {
          most = part;
          mostName = name[at]!;
        }
        isLost ||= what === slice.lost;
        continue;
      }
      flush();
      const look = looks[sliceKinds[what] ?? 'lost'];
      const isTask = what === slice.running && row.kind === 'cpu';
      const part = what === slice.mixed ? Math.max(0.06, busy[at]! / 255) : look.height;
      const tall = Math.max(1, part * height);
      const y = top + height - tall;
      const color = isTask ? this.#taskColor(name[at]!, strings) : look.color;
      context.fillStyle = isTask ? color : what === slice.mixed ? mixed(name[at]!) : this.#fill(what);
      context.fillRect(x, y, Math.max(1, wide - (wide > 3 ? 0.5 : 0)), tall);
      if (wide < textPx || tall < height * 0.6) continue;
      const text = this.#label(what, name[at]!, row, strings);
      const room = Math.floor((wide - 8) / letterPx);
      if (text === '' || room < 3) continue;
      if (look.pattern !== undefined) {
        // letters cannot be read on a pattern
        context.fillStyle = look.color;
        context.fillRect(
          x + 2,
          y + 2,
          Math.min(wide - 4, Math.min(room, text.length) * letterPx + 6),
          tall - 4,
        );
      }
      context.fillStyle = inkOn(what === slice.mixed ? mixed(name[at]!) : color);
      context.fillText(text.length > room ? `${text.slice(0, room - 1)}…` : text, x + 4, y + tall / 2 + 1);
    }
    flush();
  }

  #label(kind: number, name: number, row: TimelineRow, strings: readonly string[]): string {
    const text = (this.#names[name] ??= shown(strings[name] ?? ''));
    if (kind === slice.idle || kind === slice.halted) return '';
    if (kind === slice.paused) return 'paused';
    return row.kind === 'cpu' || text !== '' ? text : looks[sliceKinds[kind] ?? 'lost'].says;
  }

  #fill(kind: number): string | CanvasPattern {
    let fill = this.#fills.get(kind);
    if (fill === undefined) {
      const look = looks[sliceKinds[kind] ?? 'lost'];
      fill = patternOf(this.#context, look.color, look.pattern);
      this.#fills.set(kind, fill);
    }
    return fill;
  }

  #taskColor(name: number, strings: readonly string[]): string {
    return (this.#colors[name] ??= taskColor(strings[name] ?? ''));
  }

  #drawMarks({ layout, scroll, view, waits, selected, width }: Drawn, nsPerPx: number): void {
    const context = this.#context;
    const colors = colorsOf[this.#theme];
    const tops = new Map(layout.placed.map(({ row, top, height }) => [row?.id, { top, height }]));
    context.save();
    context.beginPath();
    context.rect(gutterPx, 0, width - gutterPx, 1e5);
    context.clip();
    for (const { row, from, to } of waits) {
      const place = tops.get(row);
      if (place === undefined || to < view.from || from > view.to) continue;
      const x = gutterPx + (from - view.from) / nsPerPx;
      context.fillStyle = colors.wait;
      context.fillRect(x, rulerPx + place.top - scroll, Math.max(3, (to - from) / nsPerPx), 4);
    }
    const place = selected === undefined ? undefined : tops.get(selected.row.id);
    if (selected !== undefined && place !== undefined) {
      const x = gutterPx + (selected.from - view.from) / nsPerPx;
      context.strokeStyle = colors.mark;
      context.lineWidth = 2;
      const wide = Math.max(2, (selected.to - selected.from) / nsPerPx);
      context.strokeRect(x, rulerPx + place.top - scroll + 1, wide, place.height - 2);
    }
    context.restore();
  }

  #drawRuler(times: readonly number[], { view, width, height, pointer }: Drawn, nsPerPx: number): void {
    const context = this.#context;
    const colors = colorsOf[this.#theme];
    context.fillStyle = colors.band;
    context.fillRect(0, 0, width, rulerPx);
    context.fillStyle = colors.weak;
    context.fillText(`${duration(view.to - view.from)} shown`, 8, rulerPx / 2 + 1);
    const step = times.length > 1 ? times[1]! - times[0]! : view.to - view.from;
    const decimals = Math.max(0, Math.min(9, Math.ceil(9 - Math.log10(step))));
    for (const time of times) {
      const x = Math.round(gutterPx + (time - view.from) / nsPerPx);
      context.fillStyle = colors.line;
      context.fillRect(x, 0, 1, rulerPx);
      context.globalAlpha = 0.4;
      context.fillRect(x, rulerPx, 1, height);
      context.globalAlpha = 1;
      context.fillStyle = colors.text;
      context.fillText(`${(time / 1e9).toFixed(decimals)} s`, x + 4, rulerPx / 2 + 1);
    }
    if (pointer === undefined || pointer.x < gutterPx) return;
    context.fillStyle = colors.weak;
    context.fillRect(pointer.x, 0, 1, height);
  }
}
