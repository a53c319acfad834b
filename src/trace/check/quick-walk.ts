import { endianness } from 'node:os';
import type { PageLayout } from '../ring/page-layout.ts';

const typePadding = 29;
const typeTimeExtend = 30;

/** Returned for a page that the fast path does not handle: `PageCursor` must check it. */
export const unusual = -1;

/**
 * Fast path for the usual page: whole, well-formed, nothing lost before it. Makes no allocations and no calls: these
 * would dominate the cost of checking gigabytes. Leaves anything else to `PageCursor`, whose results it must match.
 */
export class QuickWalk {
  /** Event ids of the last walked page, in order. */
  readonly ids: Uint16Array;
  /** Time from the page's timestamp to its last record. */
  delta = 0;
  readonly #headerWord: number;
  readonly #dataWord: number;
  readonly #maxDataBytes: number;
  readonly #typeWord: number;
  readonly #typeShift: number;
  readonly #needBytes: number;
  readonly #usable: boolean;

  /**
   * @param typeOffset offset of the event id in a record's data
   * @param needBytes minimum size of an event's data
   */
  constructor(layout: PageLayout, typeOffset: number, needBytes: number) {
    this.#headerWord = layout.commitOffset >> 2;
    this.#dataWord = layout.dataOffset >> 2;
    this.#maxDataBytes = layout.pageBytes - layout.dataOffset;
    this.#typeWord = typeOffset >> 2;
    this.#typeShift = (typeOffset & 3) * 8;
    this.#needBytes = needBytes;
    this.ids = new Uint16Array(layout.pageBytes >> 2);
    this.#usable =
      endianness() === 'LE' &&
      ((layout.commitOffset | layout.dataOffset | layout.pageBytes) & 3) === 0 &&
      (typeOffset & 3) !== 3;
  }

  /** The block as 32-bit words; undefined if the fast path does not support it. */
  wordsOf(block: Uint8Array): Uint32Array | undefined {
    if (!this.#usable || (block.byteOffset & 3) !== 0) return undefined;
    return new Uint32Array(block.buffer, block.byteOffset, block.length >> 2);
  }

  /** @param pageWord index of the page's first word. @returns the number of events, or `unusual` */
  walk(words: Uint32Array, pageWord: number): number {
    const { ids } = this;
    const need = this.#needBytes;
    const typeWord = this.#typeWord;
    const typeShift = this.#typeShift;
    const dataBytes = words[pageWord + this.#headerWord]!;
    // a set lost-event flag also makes the value larger than the maximum
    if (dataBytes > this.#maxDataBytes || (dataBytes & 3) !== 0) return unusual;
    let at = pageWord + this.#dataWord;
    const end = at + (dataBytes >> 2);
    let events = 0;
    let delta = 0;
    while (at < end) {
      const word = words[at]!;
      const type = word & 31;
      let data = at + 1;
      let bytes = type << 2;
      if (type === 0 || type >= typePadding) {
        if (type === typePadding && word >>> 5 === 0) break;
        if (type > typeTimeExtend || at + 2 > end) return unusual;
        const second = words[data]!;
        if (type === typeTimeExtend) {
          delta += second * 2 ** 27 + (word >>> 5);
          at += 2;
          continue;
        }
        if (second < 4 || (second & 3) !== 0) return unusual;
        data += 1;
        bytes = second - 4;
      }
      at = data + (bytes >>> 2);
      if (at > end) return unusual;
      delta += word >>> 5;
      if (type === typePadding) continue;
      if (bytes < need) return unusual;
      ids[events] = (words[data + typeWord]! >>> typeShift) & 0xffff;
      events += 1;
    }
    // a larger sum is not exact
    if (delta > Number.MAX_SAFE_INTEGER) return unusual;
    this.delta = delta;
    return events;
  }
}
