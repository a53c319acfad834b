import { Columns } from './columns.ts';
import { isBusy, isRest, slice } from './slice-kinds.ts';

/** Width of level 1; each further level is four times as wide. */
const firstWidthNs = 4 ** 8;
/** There are levels until the whole span has no more than so many buckets. */
const fewestBuckets = 2048;
/** So that a rest gives its name to several slices only where there is nothing else. */
const restWeight = 1e-9;

/** The widths of the levels of a timeline; 0 for the first, which has all slices. */
export function levelWidths(spanNs: number): number[] {
  const widths = [0];
  for (let width = firstWidthNs; width * fewestBuckets < spanNs; width *= 4) widths.push(width);
  return widths;
}

/** Sums up slices that are shorter than `width` into those of its buckets. */
class Level {
  readonly columns: Columns;
  readonly #width: number;
  readonly #next: Level | undefined;
  #count = 0;
  #bucket = 0;
  #start = 0;
  #end = 0;
  #name = 0;
  #kind = 0;
  #longest = 0;
  #busy = 0;
  #isLost = false;

  constructor(columns: Columns, width: number, next: Level | undefined) {
    this.columns = columns;
    this.#width = width;
    this.#next = next;
  }

  /** @param longest length of the longest slice in it, which has this name; less for a rest */
  add(start: number, end: number, name: number, kind: number, busy: number, longest: number): void {
    if (end - start >= this.#width) {
      this.flush();
      this.#give(start, end, name, kind, busy, longest);
      return;
    }
    const bucket = Math.floor(start / this.#width);
    if (this.#count > 0 && bucket !== this.#bucket) this.flush();
    if (this.#count++ === 0) {
      this.#bucket = bucket;
      this.#start = start;
      this.#longest = -1;
      this.#busy = 0;
      this.#isLost = false;
    }
    this.#end = end;
    this.#busy += busy;
    this.#isLost ||= kind === slice.lost;
    if (longest <= this.#longest) return;
    this.#longest = longest;
    this.#name = name;
    this.#kind = kind;
  }

  flush(): void {
    if (this.#count === 0) return;
    const several = this.#isLost ? slice.lost : slice.mixed;
    const kind = this.#count === 1 ? this.#kind : several;
    this.#count = 0;
    this.#give(this.#start, this.#end, this.#name, kind, this.#busy, this.#longest);
  }

  #give(start: number, end: number, name: number, kind: number, busy: number, longest: number): void {
    this.columns.push(start, end, name, kind, busy);
    this.#next?.add(start, end, name, kind, busy, longest);
  }
}

/** The slices of one row, one after the other, in all levels. */
export class RowLevels {
  readonly levels: readonly Level[];
  #since = 0;
  #kind = -1;
  #name = 0;

  /** @param take writes a chunk, and returns its offset */
  constructor(widths: readonly number[], take: (chunk: Uint8Array) => number) {
    const levels: Level[] = [];
    for (const width of widths.toReversed()) levels.push(new Level(new Columns(take), width, levels.at(-1)));
    this.levels = levels.toReversed();
  }

  /** From `time` on, this is shown; kind -1: nothing. Times must not decrease. */
  change(time: number, kind: number, name: number): void {
    if (kind === this.#kind && name === this.#name) return;
    const start = this.#since;
    if (this.#kind >= 0 && time > start) {
      const length = time - start;
      const busy = isBusy(this.#kind) ? length : 0;
      const longest = isRest(this.#kind) ? length * restWeight : length;
      this.levels[0]!.add(start, time, this.#name, this.#kind, busy, longest);
    }
    this.#since = Math.max(time, start);
    this.#kind = kind;
    this.#name = name;
  }

  end(time: number): void {
    this.change(time, -1, 0);
    for (const level of this.levels) level.flush();
    for (const { columns } of this.levels) columns.flush();
  }
}
