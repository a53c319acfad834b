import type { RecordData } from '../format/record-data.ts';
import { parsePageHeader, type HeaderFault, type PageHeader } from './page-header.ts';
import type { PageLayout } from './page-layout.ts';

/** The reason why the rest of a page is unreadable; the records before the fault are valid. */
export type RecordFault =
  /** A record ends after the data size in the commit word. */
  | 'record-beyond-data'
  /** A stored length is invalid: shorter than the length word itself, or not a multiple of four. */
  | 'bad-length';

export type PageStatus = 'ok' | HeaderFault | RecordFault;

/** `discarded`: reserved and then dropped by the kernel (by a filter); only its time delta counts. */
export type RecordKind = 'data' | 'discarded' | 'time-extend' | 'time-stamp';

/** RINGBUF_TYPE_* of include/linux/ring_buffer.h; 0 and 1 to 28 are data. */
const typePadding = 29;
const typeTimeExtend = 30;
const typeTimeStamp = 31;
/** An absolute stamp has 59 bits; the top bits come from the page's timestamp (TS_MSB of ring_buffer.c). */
const stampBits = 59n;
const stampTopBits = 0xf8n << 56n;

const noPage = new Uint8Array(0);
const noView = new DataView(noPage.buffer);

/**
 * Walks the records of one page after another; the cursor's properties are those of the current record. One cursor
 * serves any number of pages; a step allocates only at time-extend and time-stamp records.
 *
 *     cursor.load(page);
 *     while (cursor.next()) if (cursor.kind === 'data') use(cursor.timestamp, readText(cursor, field));
 *     if (cursor.status !== 'ok') ...
 *
 * Accepts any bytes: never throws, never reads outside the page's data, and each step advances by at
 * least four bytes.
 */
export class PageCursor implements RecordData {
  page: Uint8Array = noPage;
  view: DataView = noView;
  /** 'ok', or why the page ended early. */
  status: PageStatus = 'ok';
  header: PageHeader | undefined;
  kind: RecordKind = 'data';
  /** Offset of the record's first word in the page. */
  recordOffset = 0;
  dataOffset = 0;
  dataBytes = 0;
  readonly layout: PageLayout;
  /**
   * The time is a bigint base, which only stamps and extends change, plus the sum of the small deltas since, a number
   * for speed.
   */
  #baseNs = 0n;
  #deltaNs = 0;
  /** Counts the changes of the base. */
  #bases = 0;
  #next = 0;
  #end = 0;

  constructor(layout: PageLayout) {
    this.layout = layout;
  }

  /** Places the cursor before the first record of `page`, which must not change during the walk. */
  load(page: Uint8Array): PageStatus {
    this.page = page;
    this.view = new DataView(page.buffer, page.byteOffset, page.byteLength);
    const header = parsePageHeader(this.view, this.layout);
    this.status = header.status;
    this.header = header.status === 'ok' ? header : undefined;
    this.#setTime(this.header?.timestamp ?? 0n);
    this.#next = this.layout.dataOffset;
    this.#end = this.#next + (this.header?.dataBytes ?? 0);
    return this.status;
  }

  /** The record's time in nanoseconds of the trace clock. */
  get timestamp(): bigint {
    return BigInt.asUintN(64, this.#baseNs + BigInt(this.#deltaNs));
  }

  /** The time is `timeBase` + `timeDelta`; `timeBases` changes whenever the base does. For loops without bigints. */
  get timeBase(): bigint {
    return this.#baseNs;
  }

  get timeDelta(): number {
    return this.#deltaNs;
  }

  get timeBases(): number {
    return this.#bases;
  }

  /** Offset in the page of the first byte after the record. */
  get recordEnd(): number {
    return this.#next;
  }

  /** Steps to the next record. @returns false at the end of the page; `status` says why it ended */
  next(): boolean {
    const at = this.#next;
    const left = this.#end - at;
    if (left <= 0) return false;
    if (left < 4) return this.#fail('record-beyond-data');
    const word = this.view.getUint32(at, true);
    const type = word & 31;
    const delta = word >>> 5;
    // padding without a delta ends the page (rb_null_event)
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
    // long data, or discarded: the second word is a length that includes itself
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
    this.#bases++;
  }

  /** Like rb_fix_abs_ts: adds the page's top bits, and one more if the 59 bits have wrapped since. */
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

/** Walks a whole page; returns 'ok' if all its records are readable, otherwise why not. */
export function checkPage(cursor: PageCursor, page: Uint8Array): PageStatus {
  cursor.load(page);
  while (cursor.next());
  return cursor.status;
}
