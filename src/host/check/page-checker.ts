import type { EventCatalogue } from '../format/event-catalogue.ts';
import { PageCursor, type PageStatus } from '../ring/page-cursor.ts';
import type { PageLayout } from '../ring/page-layout.ts';

/** What is wrong with a page, beyond what makes it unreadable. */
export type CheckStatus =
  | PageStatus
  /** An event whose format is not known: trace-cmd ends its report there, in silence. */
  | 'unknown-event'
  /** A record too short to hold its event's id and thread. */
  | 'short-record';

const eventIds = 1 << 16;

/**
 * Checks one page after another, in about the time that memory takes to be copied twice, and counts what good
 * pages hold. Any bytes may be checked; nothing throws.
 */
export class PageChecker {
  readonly cursor: PageCursor;
  /** Data records of the page that was checked last; of a bad one those before the fault. */
  pageEvents = 0;
  /** Time of the first and of the last data record in all good pages. */
  firstNs: bigint | undefined;
  lastNs: bigint | undefined;
  readonly #typeOffset: number;
  readonly #needBytes: number;
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
      this.lastNs = cursor.timestamp;
    }
    return status;
  }

  /** Events of all good pages by id. */
  *counts(): Generator<readonly [id: number, events: number]> {
    for (const [id, events] of this.#counts.entries()) if (events > 0) yield [id, events];
  }
}
