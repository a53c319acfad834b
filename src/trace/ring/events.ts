import { EventCatalogue } from '../format/event-catalogue.ts';
import { fieldOf, type EventFormat } from '../format/event-format.ts';
import { readNumber, readText } from '../format/record-data.ts';
import { PageCursor } from './page-cursor.ts';
import type { PageLayout } from './page-layout.ts';

/** One event with its location, for inspection; code that decodes gigabytes uses the cursor directly. */
export interface RingEvent {
  /** Nanoseconds of the trace clock. */
  readonly timestamp: bigint;
  readonly id: number;
  /** `system:name`, if the catalogue knows the id. */
  readonly name: string | undefined;
  /** The thread that was running. */
  readonly pid: number;
  /** Index of the page in the stream. */
  readonly pageIndex: number;
  /** Offset of the event's record data in the page. */
  readonly dataOffset: number;
  readonly dataBytes: number;
}

/**
 * All events of a CPU's pages, in order. A malformed page yields the events before the fault; `summarise` counts it.
 */
export function* eventsOf(
  pages: Iterable<Uint8Array>,
  layout: PageLayout,
  catalogue: EventCatalogue = new EventCatalogue(),
): Generator<RingEvent, void, undefined> {
  const cursor = new PageCursor(layout);
  const { common } = catalogue;
  let pageIndex = 0;
  for (const page of pages) {
    cursor.load(page);
    while (cursor.next()) {
      if (cursor.kind !== 'data') continue;
      const id = readNumber(cursor, common.type);
      const pid = readNumber(cursor, common.pid);
      if (id === undefined || pid === undefined) continue;
      const { timestamp, dataOffset, dataBytes } = cursor;
      yield { timestamp, id, name: catalogue.byId(id)?.fullName, pid, pageIndex, dataOffset, dataBytes };
    }
    pageIndex++;
  }
}

/**
 * The texts written to `trace_marker`, in order, without the newline that the kernel appends.
 * `printFormat` is the format of `ftrace:print`.
 */
export function* markersOf(
  pages: Iterable<Uint8Array>,
  layout: PageLayout,
  printFormat: EventFormat,
): Generator<string, void, undefined> {
  const cursor = new PageCursor(layout);
  const type = fieldOf(printFormat, 'common_type');
  const buf = fieldOf(printFormat, 'buf');
  if (!type || !buf) return;
  for (const page of pages) {
    cursor.load(page);
    while (cursor.next()) {
      if (cursor.kind !== 'data' || readNumber(cursor, type) !== printFormat.id) continue;
      const text = readText(cursor, buf);
      if (text !== undefined) yield text.endsWith('\n') ? text.slice(0, -1) : text;
    }
  }
}
