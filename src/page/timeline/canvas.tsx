import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { TimelineRow } from '../../analysis/timeline/timeline-index.ts';
import type { Tiles } from '../data/tiles.ts';
import type { Theme } from '../parts/theme.ts';
import { Painter, type WaitMark } from './draw.ts';
import { gutterPx, type Layout, rulerPx } from './layout.ts';
import { type SelectedSlice, sliceAt } from './selection.ts';
import { moved, type Viewport, within, zoomed } from './viewport.ts';

const zoomStep = 1.25;
const panStep = 0.1;
/** A press that moves less is a click. */
const clickPx = 4;
/** Part of the shown time that one step of a mouse wheel (120) zooms by. */
const wheelZoom = 0.0022;

interface CanvasProps {
  readonly tiles: Tiles;
  readonly layout: Layout;
  readonly theme: Theme;
  readonly view: Viewport;
  readonly waits: readonly WaitMark[];
  readonly selected: SelectedSlice | undefined;
  readonly focusRow: number | undefined;
  /** Counts what has been loaded: each change draws again. */
  readonly version: number;
  readonly onView: (view: Viewport) => void;
  readonly onHover: (slice: SelectedSlice | undefined) => void;
  readonly onSelect: (slice: SelectedSlice | undefined, row: TimelineRow | undefined) => void;
  readonly onFocusRow: (row: number) => void;
}

/** The rows of a timeline, drawn on a canvas, with mouse and keyboard. */
export function TimelineCanvas(props: CanvasProps): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const latest = useRef(props);
  latest.current = props;
  const redraw = useRef(() => {});

  useEffect(() => {
    const surface = new Surface(box.current!, canvas.current!, () => latest.current);
    redraw.current = () => surface.request();
    return () => surface.close();
  }, []);
  useEffect(() => redraw.current());

  return (
    <div class="timeline-canvas" ref={box}>
      <canvas
        ref={canvas}
        tabIndex={0}
        role="application"
        aria-roledescription="timeline"
        aria-label="Timeline. Arrow keys up and down choose a row, left and right move in time, plus and minus zoom, full stop and comma go from slice to slice, Enter shows the slice, Home shows everything. A table below has what is in view."
      />
    </div>
  );
}

/** The canvas with its listeners. */
class Surface {
  readonly #box: HTMLDivElement;
  readonly #canvas: HTMLCanvasElement;
  readonly #context: CanvasRenderingContext2D;
  readonly #props: () => CanvasProps;
  readonly #resize: ResizeObserver;
  readonly #ended = new AbortController();
  #painter: { readonly theme: Theme; readonly painter: Painter } | undefined;
  #frame = 0;
  #width = 0;
  #height = 0;
  #scroll = 0;
  #pointer: { x: number; y: number } | undefined;
  #drag: { x: number; y: number; view: Viewport; scroll: number; isClick: boolean } | undefined;
  /** The view that was last asked for: several events may come before it is shown. */
  #asked: Viewport | undefined;

  constructor(box: HTMLDivElement, canvas: HTMLCanvasElement, props: () => CanvasProps) {
    this.#box = box;
    this.#canvas = canvas;
    this.#context = canvas.getContext('2d', { alpha: false })!;
    this.#props = props;
    this.#resize = new ResizeObserver(() => this.#fit());
    this.#resize.observe(box);
    this.#fit();
    const { signal } = this.#ended;
    canvas.addEventListener('wheel', (event) => this.#wheel(event), { signal, passive: false });
    canvas.addEventListener('pointerdown', (event) => this.#press(event), { signal });
    canvas.addEventListener('pointermove', (event) => this.#point(event), { signal });
    canvas.addEventListener('pointerup', (event) => this.#release(event), { signal });
    canvas.addEventListener('pointerleave', () => this.#leave(), { signal });
    canvas.addEventListener('dblclick', () => this.#zoomToSelected(), { signal });
    canvas.addEventListener('keydown', (event) => this.#key(event), { signal });
  }

  /** Draws with the next frame of the screen. */
  request(): void {
    this.#asked = undefined;
    this.#schedule();
  }

  close(): void {
    cancelAnimationFrame(this.#frame);
    this.#resize.disconnect();
    this.#ended.abort();
  }

  #schedule(): void {
    if (this.#frame !== 0) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.#draw();
    });
  }

  #draw(): void {
    const { theme, view, layout, tiles, waits, selected, focusRow } = this.#props();
    if (this.#painter?.theme !== theme) this.#painter = { theme, painter: new Painter(this.#context, theme) };
    this.#scroll = Math.max(0, Math.min(this.#scroll, layout.height - (this.#height - rulerPx)));
    this.#painter.painter.draw({
      view,
      width: this.#width,
      height: this.#height,
      scroll: this.#scroll,
      layout,
      tiles,
      waits,
      selected,
      focusRow,
      pointer: this.#pointer,
    });
  }

  #fit(): void {
    const ratio = devicePixelRatio;
    this.#width = this.#box.clientWidth;
    this.#height = this.#box.clientHeight;
    this.#canvas.width = Math.round(this.#width * ratio);
    this.#canvas.height = Math.round(this.#height * ratio);
    this.#context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.#draw();
  }

  get #view(): Viewport {
    return this.#asked ?? this.#props().view;
  }

  #ask(view: Viewport): void {
    this.#asked = view;
    this.#props().onView(view);
  }

  get #span(): number {
    return this.#props().tiles.index.spanNs;
  }

  get #nsPerPx(): number {
    const { from, to } = this.#view;
    return (to - from) / Math.max(1, this.#width - gutterPx);
  }

  #timeAt(x: number): number {
    return this.#view.from + (x - gutterPx) * this.#nsPerPx;
  }

  #rowAt(y: number): TimelineRow | undefined {
    const at = y - rulerPx + this.#scroll;
    return this.#props().layout.placed.find(({ top, height }) => at >= top && at < top + height)?.row;
  }

  #sliceAt(x: number, y: number): SelectedSlice | undefined {
    const row = this.#rowAt(y);
    if (row === undefined || x < gutterPx || y < rulerPx) return undefined;
    const { tiles } = this.#props();
    return sliceAt(tiles, row, tiles.levelFor(this.#nsPerPx), this.#timeAt(x));
  }

  #wheel(event: WheelEvent): void {
    event.preventDefault();
    const unit = event.deltaMode === 0 ? 1 : 40;
    const [x, y] = [event.deltaX * unit, event.deltaY * unit];
    const inGutter = event.offsetX < gutterPx;
    if (event.shiftKey || Math.abs(x) > Math.abs(y)) {
      const by = (event.shiftKey ? x + y : x) / Math.max(1, this.#width - gutterPx);
      return this.#ask(moved(this.#view, by, this.#span));
    }
    if (inGutter) {
      this.#scroll += y;
      return this.#schedule();
    }
    this.#ask(zoomed(this.#view, Math.exp(y * wheelZoom), this.#timeAt(event.offsetX), this.#span));
  }

  #press(event: PointerEvent): void {
    if (event.button !== 0) return;
    this.#canvas.setPointerCapture(event.pointerId);
    this.#drag = {
      x: event.offsetX,
      y: event.offsetY,
      view: this.#view,
      scroll: this.#scroll,
      isClick: true,
    };
  }

  #point(event: PointerEvent): void {
    this.#pointer = { x: event.offsetX, y: event.offsetY };
    const drag = this.#drag;
    if (drag === undefined) {
      this.#props().onHover(this.#sliceAt(event.offsetX, event.offsetY));
      return this.#schedule();
    }
    const [x, y] = [event.offsetX - drag.x, event.offsetY - drag.y];
    if (Math.hypot(x, y) >= clickPx) drag.isClick = false;
    if (drag.isClick) return;
    this.#scroll = drag.scroll - y;
    this.#ask(moved(drag.view, -x / Math.max(1, this.#width - gutterPx), this.#span));
  }

  #release(event: PointerEvent): void {
    const drag = this.#drag;
    this.#drag = undefined;
    if (drag?.isClick !== true) return;
    const row = this.#rowAt(event.offsetY);
    this.#props().onSelect(this.#sliceAt(event.offsetX, event.offsetY), row);
  }

  #leave(): void {
    this.#pointer = undefined;
    this.#props().onHover(undefined);
    this.#schedule();
  }

  #zoomToSelected(): void {
    const { selected } = this.#props();
    if (selected === undefined) return;
    const margin = (selected.to - selected.from) / 4;
    this.#ask(within(selected.from - margin, selected.to + margin, this.#span));
  }

  #key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const view = this.#view;
    const middle = (view.from + view.to) / 2;
    const at =
      this.#pointer !== undefined && this.#pointer.x >= gutterPx ? this.#timeAt(this.#pointer.x) : middle;
    const step = event.shiftKey ? panStep * 5 : panStep;
    switch (event.key) {
      case 'w':
      case 'W':
        this.#ask(zoomed(view, 1 / zoomStep, at, this.#span));
        break;
      case 's':
      case 'S':
        this.#ask(zoomed(view, zoomStep, at, this.#span));
        break;
      case '+':
      case '=':
        this.#ask(zoomed(view, 1 / zoomStep, middle, this.#span));
        break;
      case '-':
        this.#ask(zoomed(view, zoomStep, middle, this.#span));
        break;
      case 'a':
      case 'A':
      case 'ArrowLeft':
        this.#ask(moved(view, -step, this.#span));
        break;
      case 'd':
      case 'D':
      case 'ArrowRight':
        this.#ask(moved(view, step, this.#span));
        break;
      case 'ArrowUp':
      case 'ArrowDown':
        this.#moveFocus(event.key === 'ArrowUp' ? -1 : 1);
        break;
      case 'Home':
        this.#ask({ from: 0, to: Math.max(100, this.#span) });
        break;
      case 'f':
        this.#zoomToSelected();
        break;
      case '.':
      case ',':
        this.#step(event.key === '.');
        break;
      case 'Enter':
        this.#enter(middle);
        break;
      case 'Escape':
        this.#props().onSelect(undefined, undefined);
        break;
      default:
        return;
    }
    event.preventDefault();
  }

  #moveFocus(by: number): void {
    const { layout, focusRow, onFocusRow } = this.#props();
    const rows = layout.placed.filter(({ row }) => row !== undefined);
    const at = rows.findIndex(({ row }) => row?.id === focusRow);
    const next = rows[at < 0 ? 0 : Math.max(0, Math.min(rows.length - 1, at + by))];
    if (next?.row === undefined) return;
    const room = this.#height - rulerPx;
    if (next.top < this.#scroll) this.#scroll = next.top;
    if (next.top + next.height > this.#scroll + room) this.#scroll = next.top + next.height - room;
    onFocusRow(next.row.id);
  }

  #focused(): TimelineRow | undefined {
    const { layout, focusRow } = this.#props();
    return layout.placed.find(({ row }) => row !== undefined && row.id === focusRow)?.row;
  }

  /** Selects the slice in the middle of the focused row, or the selected one again. */
  #enter(middle: number): void {
    const row = this.#focused();
    if (row === undefined) return this.#moveFocus(1);
    const { tiles, onSelect } = this.#props();
    onSelect(sliceAt(tiles, row, tiles.levelFor(this.#nsPerPx), middle), row);
  }

  /** Selects the next or the previous slice of the row, and moves it into view. */
  #step(isNext: boolean): void {
    const { tiles, selected, onSelect } = this.#props();
    const row = selected?.row ?? this.#focused();
    if (row === undefined) return this.#moveFocus(1);
    const level = tiles.levelFor(this.#nsPerPx);
    const { from, to } = this.#view;
    const begin = selected === undefined ? from : isNext ? selected.to : selected.from - this.#nsPerPx;
    const next = sliceAt(tiles, row, level, begin, isNext ? to - from : 0);
    if (next === undefined) return;
    onSelect(next, row);
    if (next.from < from || next.to > to) {
      const length = to - from;
      const middle = (next.from + next.to) / 2;
      this.#ask(within(middle - length / 2, middle + length / 2, this.#span));
    }
  }
}
