import type { RecordData } from '../format/record-data.ts';
import { parsePageHeader, type HeaderFault, type PageHeader } from './page-header.ts';
import type { PageLayout } from './page-layout.ts';

/** What makes the rest of a page unreadable; the records before it stand. */
export type RecordFault =
  /** A record that ends behind the data that the commit word tells. */
  | 'record-beyond-data'
  /** A stored length that no record has: shorter than itself, or not a multiple of four. */
  | 'bad-length';

export type PageStatus = 'ok' | HeaderFault | RecordFault;

/** `discarded`: reserved and then dropped by the kernel (a filter); only its time counts. */
export type RecordKind = 'data' | 'discarded' | 'time-extend' | 'time-stamp';

/** RINGBUF_TYPE_* of include/linux/ring_buffer.h; 0 and 1 to 28 are data. */
const typePadding = 29;
const typeTimeExtend = 30;
const typeTimeStamp = 31;
/** An absolute stamp has 59 bits; the page's own timestamp lends it the rest (TS_MSB of ring_buffer.c). */
const stampBits = 59n;
const stampTopBits = 0xf8n << 56n;

const noPage = new Uint8Array(0);
const noView = new DataView(noPage.buffer);

/**
 * Walks the records of one page after another, and is itself the record that it stands on. One cursor serves any
 * number of pages; a step makes no garbage but at time-extend and time-stamp records.
 *
 *     cursor.load(page);
 *     while (cursor.next()) if (cursor.kind === 'data') use(cursor.timestamp, readText(cursor, field));
 *     if (cursor.status !== 'ok') ...
 *
 * Any bytes may be loaded: nothing throws, nothing outside the page's data is read, and each step advances by at
 * least four bytes.
 */
export class PageCursor implements RecordData {
  page: Uint8Array = noPage;
  view: DataView = noView;
  /** 'ok', or what ended the page early. */
  status: PageStatus = 'ok';
  header: PageHeader | undefined;
  kind: RecordKind = 'data';
  /** Offset in the page of the record's first word. */
  recordOffset = 0;
  dataOffset = 0;
  dataBytes = 0;
  readonly layout: PageLayout;
  /** Time is a base that only stamps and extends change, and the small deltas since: numbers, not bigints. */
  #baseNs = 0n;
  #deltaNs = 0;
  #next = 0;
  #end = 0;

  constructor(layout: PageLayout) {
    this.layout = layout;
  }

  /** Sets the cursor before the first record of `page`, which must not change while it is walked. */
  load(page: Uint8Array): PageStatus {
    this.page = page;
    this.view = new DataView(page.buffer, page.byteOffset, page.byteLength);
    const header = parsePageHeader(this.view, this.layout);
    this.status = header.status;
    this.header = header.status === 'ok' ? header : undefined;
    this.#baseNs = this.header?.timestamp ?? 0n;
    this.#deltaNs = 0;
    this.#next = this.layout.dataOffset;
    this.#end = this.#next + (this.header?.dataBytes ?? 0);
    return this.status;
  }

  /** The record's time in nanoseconds of the trace clock. */
  get timestamp(): bigint {
    return BigInt.asUintN(64, this.#baseNs + BigInt(this.#deltaNs));
  }

  /** Offset in the page right behind the record. */
  get recordEnd(): number {
    return this.#next;
  }

  /** Steps to the next record; false at the end of the page, whose reason is `status`. */
  next(): boolean {
    const at = this.#next;
    const left = this.#end - at;
    if (left <= 0) return false;
    if (left < 4) return this.#fail('record-beyond-data');
    const word = this.view.getUint32(at, true);
    const type = word & 31;
    const delta = word >>> 5;
    // A padding without a delta ends the page (rb_null_event).
    if (type === typePadding && delta === 0) return this.#fail('ok');

    if (type > 0 && type < typePadding) {
      if (4 + type * 4 > left) return this.#fail('record-beyond-data');
      this.#deltaNs += delta;
      this.#stand('data', at, at + 4, type * 4);
      return true;
    }
    if (left < 8) return this.#fail('record-beyond-data');
    const second = this.view.getUint32(at + 4, true);
    if (type === typeTimeExtend) {
      this.#setTime(this.timestamp + wideDelta(delta, second));
      this.#stand('time-extend', at, at + 8, 0);
      return true;
    }
    if (type === typeTimeStamp) {
      this.#setTime(this.#fullStamp(wideDelta(delta, second)));
      this.#stand('time-stamp', at, at + 8, 0);
      return true;
    }
    // Data of any length, or discarded: the second word is a length that counts itself.
    if (second < 4 || second % 4 !== 0) return this.#fail('bad-length');
    if (second > left - 4) return this.#fail('record-beyond-data');
    this.#deltaNs += delta;
    this.#stand(type === typePadding ? 'discarded' : 'data', at, at + 8, second - 4);
    return true;
  }

  #stand(kind: RecordKind, recordOffset: number, dataOffset: number, dataBytes: number): void {
    this.kind = kind;
    this.recordOffset = recordOffset;
    this.dataOffset = dataOffset;
    this.dataBytes = dataBytes;
    this.#next = dataOffset + dataBytes;
  }

  #fail(status: PageStatus): false {
    this.status = status;
    this.dataBytes = 0;
    return false;
  }

  #setTime(timestamp: bigint): void {
    this.#baseNs = timestamp;
    this.#deltaNs = 0;
  }

  /** As rb_fix_abs_ts does: the page's top bits, and one more where the 59 bits have wrapped since. */
  #fullStamp(stamp: bigint): bigint {
    const pageNs = this.header?.timestamp ?? 0n;
    const top = pageNs & stampTopBits;
    if (top === 0n) return stamp;
    return (top | stamp) < pageNs ? (top | stamp) + (1n << stampBits) : top | stamp;
  }
}

function wideDelta(low: number, high: number): bigint {
  return BigInt(low) + (BigInt(high) << 27n);
}

/** Walks a whole page and says whether every record in it can be read. */
export function checkPage(cursor: PageCursor, page: Uint8Array): PageStatus {
  cursor.load(page);
  while (cursor.next());
  return cursor.status;
}
