import type { CommonFields } from '../format/event-catalogue.ts';
import type { PageLayout } from '../ring/page-layout.ts';
import { addLoss, markLoss, type Loss } from './loss-mark.ts';
import { PageChecker, type CheckStatus } from './page-checker.ts';

/** Why a page was left out; 'truncated' is a last page of which a part is missing. */
export type LeftOut = Exclude<CheckStatus, 'ok'> | 'truncated';

/** What a CPU's pages were found to hold. Grows while {@link checkedRuns} goes on. */
export interface RawTally {
  /** Good pages. */
  pages: number;
  /** Events in good pages. */
  events: number;
  /** Lost before or between good pages, as far as counted: by the ring, and by pages left out. */
  lost: bigint;
  /** Good pages before which events were lost that nobody counted. */
  pagesAfterUncountedLoss: number;
  /** Pages left out, by reason. */
  readonly leftOut: Map<LeftOut, number>;
  readonly eventsById: Map<number, number>;
  /** Times of the first and of the last event, in the unit of the trace's clock. */
  first: bigint | undefined;
  last: bigint | undefined;
  /** Good pages that begin before the good page before them ended: not the pages of one CPU, or of one clock. */
  stepsBack: number;
}

/** A row of good pages. `bytes` are theirs, valid until the next run is asked for. */
export interface PageRun {
  readonly bytes: Uint8Array;
  /** Where, counted from the first block, the same bytes are; undefined when a loss was marked in them. */
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
 * Checks a CPU's pages and gives the good ones, in order, with `tally` counting. A bad page is left out and its loss
 * marked in the good page that follows. `blocks` are whole pages, but for the last one, and are changed where a loss
 * is marked.
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
        // Only a page whose records could all be walked tells how many are lost with it.
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
