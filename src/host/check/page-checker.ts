import type { EventCatalogue } from '../format/event-catalogue.ts';
import { PageCursor, type PageStatus } from '../ring/page-cursor.ts';
import type { PageLayout } from '../ring/page-layout.ts';
import { QuickWalk, unusual } from './quick-walk.ts';

/** What is wrong with a page, beyond what makes it unreadable. */
export type CheckStatus =
  | PageStatus
  /** An event whose format is not known: trace-cmd ends its report there, in silence. */
  | 'unknown-event'
  /** A record too short to hold its event's id and thread. */
  | 'short-record';

const eventIds = 1 << 16;

/**
 * Checks one page after another, at some GB/s, and counts what good pages hold. Any bytes may be checked; nothing
 * throws.
 */
export class PageChecker {
  readonly cursor: PageCursor;
  /** Data records of the page that was checked last; of a bad one those before the fault. */
  pageEvents = 0;
  /** Time of the first data record in all good pages. */
  firstNs: bigint | undefined;
  readonly #typeOffset: number;
  readonly #needBytes: number;
  readonly #timestampWord: number;
  readonly #quick: QuickWalk;
  #words: Uint32Array | undefined;
  /** Of the page with the last data record: the halves of its timestamp, and the time since. */
  #lastLow = 0;
  #lastHigh = 0;
  #lastDeltaNs = 0;
  readonly #known = new Uint8Array(eventIds);
  /** By event id: in good pages, and in the page at hand. */
  readonly #counts = new Float64Array(eventIds);
  readonly #pageCounts = new Uint32Array(eventIds);
  /** Ids of the page at hand, each once. */
  readonly #pageIds = new Uint16Array(eventIds);

  constructor(layout: PageLayout, catalogue: EventCatalogue) {
    this.cursor = new PageCursor(layout);
    const { type, pid } = catalogue.common;
    this.#typeOffset = type.offset;
    this.#needBytes = Math.max(type.offset + 2, pid.offset + pid.bytes);
    for (const { id } of catalogue.formats()) this.#known[id] = 1;
    this.#timestampWord = layout.timestampOffset >> 2;
    this.#quick = new QuickWalk(layout, this.#known, this.#typeOffset, this.#needBytes);
  }

  /** Time of the last data record in all good pages. */
  get lastNs(): bigint | undefined {
    if (this.firstNs === undefined) return undefined;
    const pageNs = (BigInt(this.#lastHigh) << 32n) | BigInt(this.#lastLow);
    return BigInt.asUintN(64, pageNs + BigInt(this.#lastDeltaNs));
  }

  /** Takes the block whose pages `quickCheck` is asked about. */
  take(block: Uint8Array): void {
    this.#words = this.#quick.wordsOf(block);
  }

  /**
   * Whether a page of the block is good and nothing was lost before it, where that can be told soon; its events count
   * then, and `pageEvents` is theirs. False says nothing: `check` it.
   * @param at where in the block the whole page begins
   */
  quickCheck(at: number): boolean {
    const words = this.#words;
    // the first event's time is the other way's to tell
    if (words === undefined || this.firstNs === undefined) return false;
    const events = this.#quick.walk(words, at >> 2);
    if (events === unusual) return false;
    const { ids } = this.#quick;
    const counts = this.#counts;
    for (let index = 0; index < events; index++) counts[ids[index]!]! += 1;
    this.pageEvents = events;
    if (events > 0) {
      const time = (at >> 2) + this.#timestampWord;
      this.#lastLow = words[time]!;
      this.#lastHigh = words[time + 1]!;
      this.#lastDeltaNs = this.#quick.deltaNs;
    }
    return true;
  }

  /** Checks a page; its events count only when it is good. */
  check(page: Uint8Array): CheckStatus {
    const { cursor } = this;
    let status: CheckStatus = 'ok';
    let firstNs: bigint | undefined;
    let ids = 0;
    this.pageEvents = 0;
    cursor.load(page);
    while (cursor.next()) {
      if (cursor.kind !== 'data') continue;
      if (this.pageEvents++ === 0) firstNs = cursor.timestamp;
      if (cursor.dataBytes < this.#needBytes) {
        status = 'short-record';
        continue;
      }
      const id = cursor.view.getUint16(cursor.dataOffset + this.#typeOffset, true);
      if (this.#known[id] === 0 && status === 'ok') status = 'unknown-event';
      if (this.#pageCounts[id]!++ === 0) this.#pageIds[ids++] = id;
    }
    if (cursor.status !== 'ok') status = cursor.status;
    for (let index = 0; index < ids; index++) {
      const id = this.#pageIds[index]!;
      if (status === 'ok') this.#counts[id]! += this.#pageCounts[id]!;
      this.#pageCounts[id] = 0;
    }
    if (status === 'ok' && firstNs !== undefined) {
      this.firstNs ??= firstNs;
      this.#lastLow = Number(cursor.timestamp & 0xffff_ffffn);
      this.#lastHigh = Number(cursor.timestamp >> 32n);
      this.#lastDeltaNs = 0;
    }
    return status;
  }

  /** Events of all good pages by id. */
  *counts(): Generator<readonly [id: number, events: number]> {
    for (const [id, events] of this.#counts.entries()) if (events > 0) yield [id, events];
  }
}
