import type { ChunkList } from './timeline-index.ts';

const firstRoom = 128;
/** Slices of a chunk, the unit of reading. */
const chunkSlices = 4096;
const headerBytes = 8;

/** Bytes of a chunk of `count` slices. */
function chunkBytes(count: number): number {
  return Math.ceil((headerBytes + count * 22) / 8) * 8;
}

/** Takes a chunk and says at which offset it is. */
type ChunkTaker = (chunk: Uint8Array) => number;

/**
 * Collects the slices of one row and level, and gives them out in chunks. A chunk has, in little endian: u32 number of
 * slices, u32 0, then the columns f64 start, f64 duration, u32 name, u8 kind, u8 busy (share of the time in which the
 * CPU worked, 255 for all of it), and zeros up to a multiple of 8 bytes. A file of chunks is chunk after chunk.
 */
export class Columns {
  readonly chunks: ChunkList = { offset: [], bytes: [], from: [], to: [] };
  /** Number of all slices. */
  slices = 0;
  readonly #take: ChunkTaker;
  #count = 0;
  #start = new Float64Array(firstRoom);
  #dur = new Float64Array(firstRoom);
  #name = new Uint32Array(firstRoom);
  #kind = new Uint8Array(firstRoom);
  #busy = new Uint8Array(firstRoom);

  constructor(take: ChunkTaker) {
    this.#take = take;
  }

  push(start: number, end: number, name: number, kind: number, busyNs: number): void {
    if (this.#count === this.#start.length) this.#makeRoom();
    const at = this.#count++;
    this.#start[at] = start;
    this.#dur[at] = end - start;
    this.#name[at] = name;
    this.#kind[at] = kind;
    // a little is not nothing
    this.#busy[at] = Math.ceil((busyNs / (end - start)) * 255);
    this.slices++;
  }

  /** Gives out what is left. */
  flush(): void {
    const count = this.#count;
    if (count === 0) return;
    const bytes = new Uint8Array(chunkBytes(count));
    new DataView(bytes.buffer).setUint32(0, count, true);
    let at = headerBytes;
    for (const column of [this.#start, this.#dur, this.#name, this.#kind, this.#busy]) {
      const used = column.subarray(0, count);
      bytes.set(new Uint8Array(used.buffer, 0, used.byteLength), at);
      at += used.byteLength;
    }
    const { offset, bytes: sizes, from, to } = this.chunks;
    offset.push(this.#take(bytes));
    sizes.push(bytes.length);
    from.push(this.#start[0]!);
    to.push(this.#start[count - 1]! + this.#dur[count - 1]!);
    this.#count = 0;
  }

  #makeRoom(): void {
    const room = this.#start.length;
    if (room >= chunkSlices) return this.flush();
    const larger = <T extends { set(from: T): void }>(old: T, fresh: T): T => {
      fresh.set(old);
      return fresh;
    };
    this.#start = larger(this.#start, new Float64Array(room * 2));
    this.#dur = larger(this.#dur, new Float64Array(room * 2));
    this.#name = larger(this.#name, new Uint32Array(room * 2));
    this.#kind = larger(this.#kind, new Uint8Array(room * 2));
    this.#busy = larger(this.#busy, new Uint8Array(room * 2));
  }
}
