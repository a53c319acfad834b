import type { CommonFields } from '../format/event-catalogue.ts';
import { PageCursor, type PageStatus } from '../ring/page-cursor.ts';
import type { PageLayout } from '../ring/page-layout.ts';
import { QuickWalk, unusual } from './quick-walk.ts';

/** Result of checking a page. */
export type CheckStatus =
  | PageStatus
  /** A record is too short for its event id and thread id. */
  | 'short-record';

const eventIds = 1 << 16;

/**
 * Checks one page after another, at several GB/s, and counts the events of good pages. A record is judged by its length
 * alone; no event format is needed. Accepts any bytes and never throws.
 */
export class PageChecker {
  readonly cursor: PageCursor;
  /** Data records of the last checked page; for a bad page, those before the fault. */
  pageEvents = 0;
  /** Time of the first data record in all good pages, in units of the trace clock. */
  first: bigint | undefined;
  /** Good pages that begin before the previous good page ended. */
  stepsBack = 0;
  readonly #typeOffset: number;
  readonly #needBytes: number;
  readonly #timestampWord: number;
  readonly #quick: QuickWalk;
  #words: Uint32Array | undefined;
  /** The page with the last data record: both halves of its timestamp, and the time from there to the record. */
  #lastLow = 0;
  #lastHigh = 0;
  #lastDelta = 0;
  /** Events by id: in all good pages, and in the current page. */
  readonly #counts = new Float64Array(eventIds);
  readonly #pageCounts = new Uint32Array(eventIds);
  /** Ids in the current page, each once. */
  readonly #pageIds = new Uint16Array(eventIds);

  constructor(layout: PageLayout, { type, pid }: CommonFields) {
    this.cursor = new PageCursor(layout);
    this.#typeOffset = type.offset;
    this.#needBytes = Math.max(type.offset + 2, pid.offset + pid.bytes);
    this.#timestampWord = layout.timestampOffset >> 2;
    this.#quick = new QuickWalk(layout, this.#typeOffset, this.#needBytes);
  }

  /** Time of the last data record in all good pages. */
  get last(): bigint | undefined {
    if (this.first === undefined) return undefined;
    const page = (BigInt(this.#lastHigh) << 32n) | BigInt(this.#lastLow);
    return BigInt.asUintN(64, page + BigInt(this.#lastDelta));
  }

  /** Sets the block whose pages `quickCheck` checks. */
  take(block: Uint8Array): void {
    this.#words = this.#quick.wordsOf(block);
  }

  /**
   * A fast check of one page. True: the page is good, nothing was lost before it, and its events are counted. False
   * proves nothing: call `check`.
   * @param at offset of the whole page in the block
   */
  quickCheck(at: number): boolean {
    const words = this.#words;
    // `check` records the time of the first event
    if (words === undefined || this.first === undefined) return false;
    const events = this.#quick.walk(words, at >> 2);
    if (events === unusual) return false;
    const { ids } = this.#quick;
    const counts = this.#counts;
    for (let index = 0; index < events; index++) counts[ids[index]!]! += 1;
    this.pageEvents = events;
    if (events > 0) {
      const time = (at >> 2) + this.#timestampWord;
      this.#compare(words[time]!, words[time + 1]!);
      this.#lastLow = words[time]!;
      this.#lastHigh = words[time + 1]!;
      this.#lastDelta = this.#quick.delta;
    }
    return true;
  }

  /** Checks a page; counts its events only if it is good. */
  check(page: Uint8Array): CheckStatus {
    const { cursor } = this;
    let status: CheckStatus = 'ok';
    let first: bigint | undefined;
    let ids = 0;
    this.pageEvents = 0;
    cursor.load(page);
    while (cursor.next()) {
      if (cursor.kind !== 'data') continue;
      if (this.pageEvents++ === 0) first = cursor.timestamp;
      if (cursor.dataBytes < this.#needBytes) {
        status = 'short-record';
        continue;
      }
      const id = cursor.view.getUint16(cursor.dataOffset + this.#typeOffset, true);
      if (this.#pageCounts[id]!++ === 0) this.#pageIds[ids++] = id;
    }
    if (cursor.status !== 'ok') status = cursor.status;
    for (let index = 0; index < ids; index++) {
      const id = this.#pageIds[index]!;
      if (status === 'ok') this.#counts[id]! += this.#pageCounts[id]!;
      this.#pageCounts[id] = 0;
    }
    if (status === 'ok' && first !== undefined) {
      const begin = cursor.header?.timestamp ?? first;
      if (this.first === undefined) this.first = first;
      else this.#compare(Number(begin & 0xffff_ffffn), Number(begin >> 32n));
      this.#lastLow = Number(cursor.timestamp & 0xffff_ffffn);
      this.#lastHigh = Number(cursor.timestamp >> 32n);
      this.#lastDelta = 0;
    }
    return status;
  }

  /**
   * Compares a page's start time with the last event. The time comes in two halves, because a number cannot hold 64
   * bits.
   */
  #compare(low: number, high: number): void {
    if ((high - this.#lastHigh) * 2 ** 32 + (low - this.#lastLow) < this.#lastDelta) this.stepsBack++;
  }

  /** Event counts of all good pages, by id. */
  *counts(): Generator<readonly [id: number, events: number]> {
    for (const [id, events] of this.#counts.entries()) if (events > 0) yield [id, events];
  }
}
