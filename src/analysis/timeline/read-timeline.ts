import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isObject } from '../../base/json-type.ts';
import { exitCode, Failure } from '../../base/failure.ts';
import { chunksName, columnsName, type ChunkList, type TimelineChunks } from './timeline-index.ts';

/** A timeline that `writeTimeline` wrote. */
export class StoredTimeline {
  readonly #dir: string;
  readonly #chunks: TimelineChunks;

  private constructor(dir: string, chunks: TimelineChunks) {
    this.#dir = dir;
    this.#chunks = chunks;
  }

  /** Throws Failure, and what node:fs throws. */
  static async open(dir: string): Promise<StoredTimeline> {
    const chunks: unknown = JSON.parse(await readFile(join(dir, chunksName), 'utf8'));
    if (!areChunks(chunks))
      throw new Failure(
        exitCode.failed,
        `${join(dir, chunksName)} is damaged`,
        'remove that directory, and write the timeline again',
      );
    return new StoredTimeline(dir, chunks);
  }

  /**
   * The chunks with the slices of a row and level from `from` to `to`, in nanoseconds from the timeline's start;
   * undefined if there is no such row or level. They have some slices before and after, too. Throws what node:fs throws.
   */
  async read(row: number, level: number, from: number, to: number): Promise<Uint8Array | undefined> {
    const list = this.#chunks[row]?.[level];
    if (list === undefined) return undefined;
    const [first, after] = overlapping(list, from, to);
    if (first >= after) return new Uint8Array(0);
    let size = 0;
    for (let index = first; index < after; index++) size += list.bytes[index]!;
    const bytes = new Uint8Array(size);
    const file = await open(join(this.#dir, columnsName), 'r');
    try {
      let at = 0;
      for (let index = first; index < after; index++) {
        const length = list.bytes[index]!;
        await file.read(bytes, at, length, list.offset[index]);
        at += length;
      }
    } finally {
      await file.close();
    }
    return bytes;
  }
}

function areChunks(value: unknown): value is TimelineChunks {
  return Array.isArray(value) && value.every((levels) => Array.isArray(levels) && levels.every(isChunkList));
}

function isChunkList(value: unknown): value is ChunkList {
  if (!isObject(value)) return false;
  const { offset, bytes, from, to } = value;
  const columns = [offset, bytes, from, to];
  return columns.every((column) => Array.isArray(column) && column.every((each) => Number.isFinite(each)));
}

/** The chunks that overlap a time: index of the first one, and behind the last one. */
function overlapping({ from: begins, to: ends }: ChunkList, from: number, to: number): [number, number] {
  const first = firstWhere(ends.length, (index) => ends[index]! > from);
  return [first, firstWhere(begins.length, (index) => begins[index]! >= to)];
}

function firstWhere(count: number, holds: (index: number) => boolean): number {
  let [low, high] = [0, count];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
