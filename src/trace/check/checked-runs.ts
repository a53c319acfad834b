import type { CommonFields } from '../format/event-catalogue.ts';
import type { PageLayout } from '../ring/page-layout.ts';
import { addLoss, markLoss, type Loss } from './loss-mark.ts';
import { PageChecker, type CheckStatus } from './page-checker.ts';

/** The reason why a page was skipped; 'truncated' is an incomplete last page. */
export type LeftOut = Exclude<CheckStatus, 'ok'> | 'truncated';

/** Counts of a CPU's pages and events. {@link checkedRuns} updates them as it runs. */
export interface RawTally {
  /** Good pages. */
  pages: number;
  /** Events in good pages. */
  events: number;
  /** Number of events lost before or between good pages, where known: lost by the ring, or skipped with bad pages. */
  lost: bigint;
  /** Good pages preceded by a loss of unknown size. */
  pagesAfterUncountedLoss: number;
  /** Skipped pages, by reason. */
  readonly leftOut: Map<LeftOut, number>;
  readonly eventsById: Map<number, number>;
  /** Times of the first and last event, in the unit of the trace clock. */
  first: bigint | undefined;
  last: bigint | undefined;
  /**
   * Good pages that begin before the previous good page ended. If there are any, pages of several CPUs or clocks are
   * mixed.
   */
  stepsBack: number;
}

/** A run of adjacent good pages. `bytes` is valid until the next run is requested. */
export interface PageRun {
  readonly bytes: Uint8Array;
  /** Offset of `bytes` in the raw data, from its first block; undefined if `bytes` was changed to mark a loss. */
  readonly rawOffset: number | undefined;
}

export function emptyTally(): RawTally {
  return {
    pages: 0,
    events: 0,
    lost: 0n,
    pagesAfterUncountedLoss: 0,
    leftOut: new Map(),
    eventsById: new Map(),
    first: undefined,
    last: undefined,
    stepsBack: 0,
  };
}

/**
 * Checks a CPU's pages, yields the good ones in order and counts them in `tally`. A bad page is skipped, and its loss
 * is marked in the next good page. Each of `blocks` holds whole pages, except that the last page may be incomplete.
 * Modifies a block where it marks a loss.
 */
export async function* checkedRuns(
  blocks: AsyncIterable<Uint8Array>,
  layout: PageLayout,
  common: CommonFields,
  tally: RawTally,
): AsyncGenerator<PageRun, void, undefined> {
  const checker = new PageChecker(layout, common);
  const { pageBytes } = layout;
  let loss: Loss = 0n;
  let offset = 0;
  for await (const block of blocks) {
    let runStart = 0;
    let at = 0;
    checker.take(block);
    for (; at + pageBytes <= block.length; at += pageBytes) {
      if (loss === 0n && checker.quickCheck(at)) {
        tally.pages++;
        tally.events += checker.pageEvents;
        continue;
      }
      const page = block.subarray(at, at + pageBytes);
      const status = checker.check(page);
      const lostBefore = checker.cursor.header?.lostBefore ?? 0n;
      if (status === 'ok') {
        const total = addLoss(loss, lostBefore);
        if (total === 'unknown') tally.pagesAfterUncountedLoss++;
        else tally.lost += total;
        tally.pages++;
        tally.events += checker.pageEvents;
        if (loss === 0n) continue;
      }
      if (at > runStart) yield { bytes: block.subarray(runStart, at), rawOffset: offset + runStart };
      runStart = at + pageBytes;
      if (status === 'ok') {
        markLoss(page, layout, loss);
        loss = 0n;
        yield { bytes: page, rawOffset: undefined };
      } else {
        count(tally, status);
        // the number of events lost with a bad page is known only if all its records could be walked
        const walked = status === 'short-record';
        loss = walked ? addLoss(loss, addLoss(lostBefore, BigInt(checker.pageEvents))) : 'unknown';
      }
    }
    if (at > runStart) yield { bytes: block.subarray(runStart, at), rawOffset: offset + runStart };
    if (at < block.length) count(tally, 'truncated');
    offset += block.length;
  }
  for (const [id, events] of checker.counts()) tally.eventsById.set(id, events);
  tally.first = checker.first;
  tally.last = checker.last;
  tally.stepsBack = checker.stepsBack;
}

function count(tally: RawTally, reason: LeftOut): void {
  tally.leftOut.set(reason, (tally.leftOut.get(reason) ?? 0) + 1);
}
