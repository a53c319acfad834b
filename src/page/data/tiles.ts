import type { TimelineIndex } from '../../analysis/timeline/timeline-index.ts';
import { api } from './api.ts';
import { type Slices, slicesOf } from './columns.ts';

/** Buckets of a tile; a tile of level 0 is as long as a quarter of one of level 1. */
const tileBuckets = 2048;
const mostTiles = 3000;
const mostRequests = 6;

/** A part of a row's slices at one level. */
export interface Tile {
  readonly from: number;
  readonly to: number;
  /** Undefined until it has come. */
  slices: Slices | undefined;
  isWanted: boolean;
  isFailed: boolean;
  request: AbortController | undefined;
  readonly row: number;
  readonly level: number;
}

/** Fetches slices when they are needed, a tile at a time, and keeps those used last. */
export class Tiles {
  readonly index: TimelineIndex;
  readonly #id: string;
  readonly #onTile: () => void;
  readonly #onError: (error: unknown) => void;
  /** The one used last is at the end. */
  readonly #tiles = new Map<string, Tile>();
  #queue: Tile[] = [];
  #requests = 0;
  #isClosed = false;

  constructor(id: string, index: TimelineIndex, onTile: () => void, onError: (error: unknown) => void) {
    this.#id = id;
    this.index = index;
    this.#onTile = onTile;
    this.#onError = onError;
  }

  /** The level to show when a pixel is so wide. */
  levelFor(nsPerPixel: number): number {
    const { levels } = this.index;
    let level = 0;
    while (level + 1 < levels.length && levels[level + 1]!.widthNs <= nsPerPixel) level++;
    return level;
  }

  /** Whether something that was wanted has not come yet. */
  get isLoading(): boolean {
    return this.#requests > 0 || this.#queue.length > 0;
  }

  /** Call before the calls of `visible` for a frame. */
  beginFrame(): void {
    for (const tile of this.#queue) tile.isWanted = false;
    this.#queue = [];
  }

  /** Call after them: fetches what is missing, and cancels what is not wanted any more. */
  endFrame(): void {
    for (const tile of this.#tiles.values())
      if (tile.request !== undefined && !tile.isWanted) tile.request.abort();
    for (const tile of this.#tiles.values()) tile.isWanted = false;
    this.#fetchNext();
    for (const [key, tile] of this.#tiles) {
      if (this.#tiles.size <= mostTiles) break;
      if (tile.request === undefined) this.#tiles.delete(key);
    }
  }

  /** What is there of a row between two times, best first come last: coarser levels where the wanted one is missing. */
  visible(row: number, level: number, from: number, to: number): Tile[] {
    const found: Tile[] = [];
    for (const tile of this.#range(row, level, from, to)) {
      tile.isWanted = true;
      if (tile.slices !== undefined) found.push(tile);
      else {
        if (tile.request === undefined && !tile.isFailed) this.#queue.push(tile);
        found.push(...this.#instead(row, level, Math.max(from, tile.from), Math.min(to, tile.to)));
      }
    }
    return found;
  }

  close(): void {
    this.#isClosed = true;
    for (const { request } of this.#tiles.values()) request?.abort();
  }

  #instead(row: number, level: number, from: number, to: number): Tile[] {
    for (let coarser = level + 1; coarser < this.index.levels.length; coarser++) {
      const width = this.#widthOf(coarser);
      const tile = this.#tiles.get(keyOf(row, coarser, Math.floor(from / width)));
      if (tile?.slices !== undefined)
        return [{ ...tile, from: Math.max(from, tile.from), to: Math.min(to, tile.to) }];
    }
    return [];
  }

  #range(row: number, level: number, from: number, to: number): Tile[] {
    const width = this.#widthOf(level);
    const last = Math.floor(Math.min(to, this.index.spanNs) / width);
    const tiles: Tile[] = [];
    for (let number = Math.floor(Math.max(0, from) / width); number <= last; number++) {
      const key = keyOf(row, level, number);
      const tile = this.#tiles.get(key) ?? {
        from: number * width,
        to: (number + 1) * width,
        slices: undefined,
        isWanted: false,
        isFailed: false,
        request: undefined,
        row,
        level,
      };
      this.#tiles.delete(key);
      this.#tiles.set(key, tile);
      tiles.push(tile);
    }
    return tiles;
  }

  #widthOf(level: number): number {
    const { levels, spanNs } = this.index;
    const width = level === 0 ? (levels[1]?.widthNs ?? spanNs / tileBuckets) / 4 : levels[level]!.widthNs;
    return Math.max(1, width * tileBuckets);
  }

  #fetchNext(): void {
    while (this.#requests < mostRequests) {
      const tile = this.#queue.shift();
      if (tile === undefined) return;
      void this.#fetch(tile);
    }
  }

  async #fetch(tile: Tile): Promise<void> {
    const { row, level, from, to } = tile;
    this.#requests++;
    tile.request = new AbortController();
    try {
      tile.slices = slicesOf(await api.columns(this.#id, row, level, from, to, tile.request.signal));
    } catch (error) {
      if (!tile.request.signal.aborted) {
        tile.isFailed = true;
        this.#onError(error);
      }
    } finally {
      tile.request = undefined;
      this.#requests--;
    }
    if (this.#isClosed) return;
    this.#fetchNext();
    this.#onTile();
  }
}

function keyOf(row: number, level: number, number: number): string {
  return `${row}/${level}/${number}`;
}
