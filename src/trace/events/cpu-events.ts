import { addLoss, type Loss } from '../check/loss-mark.ts';
import type { EventChoice } from '../filter/event-choice.ts';
import type { CommonFields } from '../format/event-catalogue.ts';
import { PageCursor } from '../ring/page-cursor.ts';
import type { PageLayout } from '../ring/page-layout.ts';
import type { SourceCpu } from '../source/source.ts';
import { PagePlace } from './page-place.ts';
import type { ShiftedTime } from './shifted-time.ts';
import { planReading } from './time-range.ts';

/** Which events of a CPU to read. Times are those after the shift was applied. */
export interface CpuFilter {
  readonly from: bigint | undefined;
  readonly to: bigint | undefined;
  /** Selects events; undefined for all events in the time range. */
  readonly choice: EventChoice | undefined;
  /** Whether to read all events in the time range, and to mark those that `choice` selects as `passed`. */
  readonly marks?: boolean;
  /** How the times are corrected; undefined if they are not. */
  readonly shift?: ShiftedTime | undefined;
  /** The part of these events to read; undefined for all. */
  readonly part?: CpuPart;
}

/**
 * A part of a CPU's events, in the order of the pages: it begins with the first event that is not before `from`, and
 * ends before the first one that is not before `until`. So consecutive parts together have all events, even where times
 * step back.
 */
export interface CpuPart {
  /** The step to begin reading at, which must not be after the part's first event. */
  readonly step: number;
  readonly from: bigint | undefined;
  readonly until: bigint | undefined;
  readonly watch: PartWatch;
  /** Memory for blocks; used if it has their size. */
  readonly block: Buffer;
}

/** Whether the events of a part may be in another order than in the whole trace. */
export interface PartWatch {
  isDoubtful: boolean;
}

/** Sums with larger times may wrap around to 0; then the order depends on where an iteration began. */
const doubtfulTime = 2n ** 62n;

/** The value of `begin` and `end` if they are at the end of the events. */
export const noEdge = 'end';

/** The origin of an iteration's times: its first event's time base, so that most times fit in a number. */
export interface TimeOrigin {
  ns: bigint | undefined;
}

/** Times farther from the origin than this are not exact as numbers. */
export const maxDistance = 2 ** 52;

/**
 * Steps through the events of one CPU, a block of pages at a time: `load` reads the next block and may wait; `next`
 * never waits. A bad page yields the events before the fault, and the next event's `lost` is 'unknown'.
 */
export class CpuEvents {
  readonly cpu: number;
  readonly cursor: PageCursor;
  /** Type id and pid of the event at the cursor. */
  id = 0;
  pid = 0;
  /** The event's time after the iteration's origin; beyond `maxDistance` only approximate. */
  time = 0;
  /** Whether the event passes the filter. Always true unless the filter's `marks` is set. */
  passed = true;
  /** Events lost between the previous event and this one; undefined for none. */
  lost: Loss | undefined;
  /**
   * The places where the part begins and ends, each with the state that the earlier events leave there. If a part's
   * `end` equals the next part's `begin`, there is nothing between the two parts.
   */
  begin = noEdge;
  end = noEdge;
  readonly #source: SourceCpu;
  readonly #layout: PageLayout;
  readonly #blockBytes: number;
  #blocks: AsyncIterator<Uint8Array> | undefined;
  readonly #pageBytes: number;
  readonly #typeOffset: number;
  readonly #pidOffset: number;
  readonly #needBytes: number;
  readonly #filter: CpuFilter;
  #block: Uint8Array = new Uint8Array(0);
  #at = 0;
  #pendingLoss: Loss | undefined;
  #ended = false;
  /** Whether the previous event passed. */
  #passed = false;
  readonly #origin: TimeOrigin;
  /** The cursor's time base as a number after the origin, and the value of `timeBases` for which it was computed. */
  #baseTime = 0;
  #bases = -1;
  readonly #shift: ShiftedTime | undefined;
  /** The correction added to the cursor's times since its current base, and the largest delta for which it holds. */
  #add = 0n;
  #lastDelta = Number.POSITIVE_INFINITY;
  /** `from` in the cursor's times, which are not shifted. Not used if the shift is not monotone. */
  readonly #ownFrom: bigint | undefined;
  /** Whether later pages are later in time. */
  #inOrder = false;
  /** Whether the part has begun. */
  #begun: boolean;
  /** Whether pages before the wanted time may still come. */
  #maySkip = false;
  /** Where the part ends, as a delta from the time base. */
  #untilDelta = Infinity;
  readonly #place: PagePlace;

  constructor(
    source: SourceCpu,
    layout: PageLayout,
    { type, pid }: CommonFields,
    filter: CpuFilter,
    origin: TimeOrigin,
    blockBytes: number,
  ) {
    this.cpu = source.cpu;
    this.#source = source;
    this.#layout = layout;
    this.#blockBytes = blockBytes;
    this.cursor = new PageCursor(layout);
    this.#pageBytes = layout.pageBytes;
    this.#typeOffset = type.offset;
    this.#pidOffset = pid.offset;
    this.#needBytes = Math.max(type.offset + 2, pid.offset + 4);
    this.#filter = filter;
    this.#origin = origin;
    const { shift, from } = filter;
    this.#shift = shift;
    this.#ownFrom = from !== undefined && shift?.isMonotone === true ? shift.earliest(from) : from;
    this.#begun = filter.part === undefined;
    this.#place = new PagePlace(source.isChunked, layout.pageBytes);
  }

  /** Whether there are no more events; the fields are then those of the last one. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Time of the event at the cursor. */
  get timestamp(): bigint {
    const { timestamp } = this.cursor;
    return this.#add === 0n ? timestamp : BigInt.asUintN(64, timestamp + this.#add);
  }

  /** Reads the next block of pages. @returns false if there is none, or if no later event can match. Throws Failure. */
  async load(): Promise<boolean> {
    if (this.#ended) return false;
    this.#blocks ??= this.#begin();
    const { done, value } = await this.#blocks.next();
    if (done === true) return this.#end();
    this.#block = value;
    this.#at = 0;
    this.#place.nextBlock(value.length);
    return true;
  }

  /** Continues with these whole pages, instead of those of `load`; the previous block must be used up. */
  feed(pages: Uint8Array): void {
    this.#block = pages;
    this.#at = 0;
  }

  /** Steps to the next event of the block. @returns false at its end: call `load` */
  next(): boolean {
    if (this.#ended) return false;
    const { cursor } = this;
    for (;;) {
      while (cursor.next()) {
        if (cursor.kind !== 'data') continue;
        if (this.#take()) return true;
        if (this.#ended) return false;
      }
      if (!this.#nextPage()) return false;
    }
  }

  /** Call if the next event of the part depends on this CPU's last one. */
  doubt(): void {
    const { part } = this.#filter;
    if (part !== undefined) part.watch.isDoubtful = true;
  }

  /** Closes the file if this object opened one. */
  async close(): Promise<void> {
    await this.#blocks?.return?.();
  }

  /** Begins reading at the first step that may have wanted events. */
  #begin(): AsyncIterator<Uint8Array> {
    const { from, to, shift } = this.#filter;
    let step = 0;
    if ((from !== undefined || to !== undefined) && shift?.isMonotone !== false)
      ({ step, inOrder: this.#inOrder } = planReading(this.#source, this.#layout, this.#ownFrom));
    const { part } = this.#filter;
    this.#maySkip = this.#inOrder && from !== undefined && part?.from === undefined;
    step = Math.max(step, part?.step ?? 0);
    this.#place.begin(step);
    return this.#source.blocks(this.#blockBytes, step, part?.block)[Symbol.asyncIterator]();
  }

  /** @returns whether the event at the cursor passes the filter */
  #take(): boolean {
    const { cursor } = this;
    const { choice } = this.#filter;
    if (cursor.dataBytes < this.#needBytes) return false;
    if (cursor.timeBases !== this.#bases || cursor.timeDelta > this.#lastDelta) this.#rebase();
    const { view, dataOffset } = cursor;
    this.id = view.getUint16(dataOffset + this.#typeOffset, true);
    this.pid = view.getInt32(dataOffset + this.#pidOffset, true);
    if (!this.#begun) this.#checkBegin();
    if (cursor.timeDelta >= this.#untilDelta) return this.#endPart();
    if (!this.#isInTime()) return false;
    this.time = this.#baseTime + cursor.timeDelta;
    if (choice !== undefined) {
      this.#passed = choice.passes(this, this.id, this.#passed);
      if (!this.#passed && this.#filter.marks !== true) return false;
      this.passed = this.#passed;
    }
    this.lost = this.#pendingLoss;
    this.#pendingLoss = undefined;
    return this.#begun;
  }

  #checkBegin(): void {
    if (this.cursor.timestamp < (this.#filter.part?.from ?? 0n)) return;
    this.#begun = true;
    this.begin = this.#edge();
  }

  #endPart(): false {
    this.end = this.#edge();
    return this.#end();
  }

  /** The place of the event at the cursor, and the state that the earlier events leave there. */
  #edge(): string {
    const { recordOffset } = this.cursor;
    return `${this.#place.at(this.#at)} ${recordOffset} ${this.#pendingLoss ?? ''} ${this.#passed}`;
  }

  #isInTime(): boolean {
    const { from, to } = this.#filter;
    if (from === undefined && to === undefined) return true;
    const { timestamp } = this;
    if (to !== undefined && timestamp > to) {
      this.#ended = this.#inOrder;
      this.#passed = false;
      return false;
    }
    if (from !== undefined && timestamp < from) {
      this.#pendingLoss = undefined;
      this.#passed = false;
      return false;
    }
    return true;
  }

  #rebase(): void {
    const { timeBase, timeBases, timeDelta } = this.cursor;
    this.#bases = timeBases;
    let add = 0n;
    if (this.#shift !== undefined) {
      // deltas only grow while the base stays the same
      const correction = this.#shift.correction(this.cursor.timestamp);
      ({ add } = correction);
      this.#lastDelta = Number(correction.to - timeBase);
    }
    this.#add = add;
    const base =
      add === 0n ? timeBase : BigInt.asUintN(64, timeBase + BigInt(timeDelta) + add) - BigInt(timeDelta);
    this.#origin.ns ??= base;
    this.#baseTime = Number(base - this.#origin.ns);
    const { part } = this.#filter;
    if (part === undefined) return;
    if (part.until !== undefined) this.#untilDelta = Number(part.until - timeBase);
    if (timeBase >= doubtfulTime) part.watch.isDoubtful = true;
  }

  #nextPage(): boolean {
    const { cursor } = this;
    if (this.#maySkip) this.#skipPages(this.#ownFrom ?? 0n);
    const end = this.#at + this.#pageBytes;
    if (end > this.#block.length) return false;
    if (cursor.status !== 'ok') this.#lose('unknown');
    cursor.load(this.#block.subarray(this.#at, end));
    this.#at = end;
    const lost = cursor.header?.lostBefore;
    if (lost !== undefined) this.#lose(lost);
    return true;
  }

  /** Skips the pages of the first block that end before `from`: those whose next page also begins before it. */
  #skipPages(from: bigint): void {
    const { pageBytes, timestampOffset } = this.#layout;
    const view = new DataView(this.#block.buffer, this.#block.byteOffset, this.#block.byteLength);
    this.#maySkip = false;
    let begin: bigint | undefined;
    while (this.#at + 2 * pageBytes <= view.byteLength) {
      begin ??= view.getBigUint64(this.#at + timestampOffset, true);
      const end = view.getBigUint64(this.#at + pageBytes + timestampOffset, true);
      // the pages are not in order if one begins before the previous one
      if (begin > end || end >= from) return;
      begin = end;
      this.#at += pageBytes;
      this.#pendingLoss = undefined;
      this.#passed = false;
    }
  }

  #lose(lost: Loss): void {
    this.#pendingLoss = addLoss(this.#pendingLoss ?? 0n, lost);
  }

  #end(): false {
    this.#ended = true;
    return false;
  }
}
