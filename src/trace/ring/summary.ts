import { EventCatalogue } from '../format/event-catalogue.ts';
import { readNumber } from '../format/record-data.ts';
import { PageCursor, type PageStatus } from './page-cursor.ts';
import type { PageLayout } from './page-layout.ts';

/** Counts of one CPU's pages. */
export interface RingSummary {
  readonly pages: number;
  readonly events: number;
  /** Events that the ring lost, as far as the kernel stored the count. */
  readonly lost: bigint;
  /** Pages preceded by a loss of unknown size. */
  readonly pagesAfterUncountedLoss: number;
  /** Events by `system:name`, or by `#id` if the catalogue does not know it. */
  readonly byName: ReadonlyMap<string, number>;
  /** Pages that are not fully readable, by reason. */
  readonly malformed: ReadonlyMap<Exclude<PageStatus, 'ok'>, number>;
  /** Records too short for an event id and thread id; not included in `events`. */
  readonly shortRecords: number;
}

/** Walks and counts all pages of one CPU. Accepts any bytes; counts malformed pages and goes on. */
export function summarise(
  pages: Iterable<Uint8Array>,
  layout: PageLayout,
  catalogue: EventCatalogue = new EventCatalogue(),
): RingSummary {
  const cursor = new PageCursor(layout);
  const { common } = catalogue;
  const byId = new Map<number, number>();
  const malformed = new Map<Exclude<PageStatus, 'ok'>, number>();
  const sum = { pages: 0, events: 0, lost: 0n, pagesAfterUncountedLoss: 0, shortRecords: 0 };
  for (const page of pages) {
    sum.pages++;
    cursor.load(page);
    const lost = cursor.header?.lostBefore;
    if (lost === 'unknown') sum.pagesAfterUncountedLoss++;
    else if (lost !== undefined) sum.lost += lost;
    while (cursor.next()) {
      if (cursor.kind !== 'data') continue;
      const id = readNumber(cursor, common.type);
      if (id === undefined || readNumber(cursor, common.pid) === undefined) {
        sum.shortRecords++;
        continue;
      }
      sum.events++;
      byId.set(id, (byId.get(id) ?? 0) + 1);
    }
    if (cursor.status !== 'ok') malformed.set(cursor.status, (malformed.get(cursor.status) ?? 0) + 1);
  }
  const byName = new Map([...byId].map(([id, count]) => [catalogue.byId(id)?.fullName ?? `#${id}`, count]));
  return { ...sum, byName, malformed };
}
