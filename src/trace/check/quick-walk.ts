import { endianness } from 'node:os';
import type { PageLayout } from '../ring/page-layout.ts';

const typePadding = 29;
const typeTimeExtend = 30;

/** A page that is not as most are: whether it is good, the cursor tells. */
export const unusual = -1;

/**
 * Walks pages as most of them are: whole, every record in its place, nothing lost before. Makes no object and calls
 * nothing, which is most of what it costs to check gigabytes. Whatever it does not expect it leaves to `PageCursor`,
 * with which it must agree.
 */
export class QuickWalk {
  /** Ids of the events of the page walked last, in order. */
  readonly ids: Uint16Array;
  /** From the page's timestamp to its last record. */
  delta = 0;
  readonly #headerWord: number;
  readonly #dataWord: number;
  readonly #maxDataBytes: number;
  readonly #typeWord: number;
  readonly #typeShift: number;
  readonly #needBytes: number;
  readonly #usable: boolean;

  /**
   * @param typeOffset of the event's id in a record's data
   * @param needBytes that an event's data have at least
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

  /** The block as words; undefined where it cannot be walked so. */
  wordsOf(block: Uint8Array): Uint32Array | undefined {
    if (!this.#usable || (block.byteOffset & 3) !== 0) return undefined;
    return new Uint32Array(block.buffer, block.byteOffset, block.length >> 2);
  }

  /** @param pageWord where the whole page begins. @returns how many events it has, or `unusual` */
  walk(words: Uint32Array, pageWord: number): number {
    const { ids } = this;
    const need = this.#needBytes;
    const typeWord = this.#typeWord;
    const typeShift = this.#typeShift;
    const dataBytes = words[pageWord + this.#headerWord]!;
    // flags of lost events are above the length
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
    // beyond that a sum of numbers is not exact
    if (delta > Number.MAX_SAFE_INTEGER) return unusual;
    this.delta = delta;
    return events;
  }
}
