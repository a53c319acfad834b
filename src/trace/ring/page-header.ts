import type { PageLayout } from './page-layout.ts';

/** What makes a page's header unusable; such a page holds nothing that can be read. */
export type HeaderFault =
  /** Fewer or more bytes than a page has. */
  | 'wrong-page-size'
  /** The commit word claims more data than a page holds. */
  | 'commit-beyond-page'
  /** The commit word says that the count of lost events is stored behind the data, where no room is left. */
  | 'lost-count-beyond-page';

export interface PageHeader {
  readonly status: 'ok';
  /** Nanoseconds of the trace clock, where the page's first delta starts. */
  readonly timestamp: bigint;
  /** Bytes of records, from the layout's `dataOffset` on. */
  readonly dataBytes: number;
  /** Events that the ring lost before this page: undefined for none, a count where the kernel stored one. */
  readonly lostBefore: undefined | 'unknown' | bigint;
}

/** The kernel keeps flags in the word's top bits; libtraceevent takes these 27 bits as the length. */
export const commitMask = (1 << 27) - 1;
/** RB_MISSED_EVENTS and RB_MISSED_STORED of the kernel's ring_buffer.c. A 64-bit commit has bit 31 sign-extended. */
export const missedEvents = 1 << 31;
export const missedStored = 1 << 30;

/** Reads and checks the header of one page. `view` covers exactly the page. Never throws. */
export function parsePageHeader(
  view: DataView,
  layout: PageLayout,
): PageHeader | { readonly status: HeaderFault } {
  if (view.byteLength !== layout.pageBytes) return { status: 'wrong-page-size' };
  const commit = view.getUint32(layout.commitOffset, true);
  const dataBytes = commit & commitMask;
  const dataEnd = layout.dataOffset + dataBytes;
  if (dataEnd > layout.pageBytes) return { status: 'commit-beyond-page' };

  let lostBefore: PageHeader['lostBefore'];
  if (commit & missedEvents) {
    lostBefore = 'unknown';
    if (commit & missedStored) {
      if (dataEnd + layout.commitBytes > layout.pageBytes) return { status: 'lost-count-beyond-page' };
      lostBefore =
        layout.commitBytes === 8 ? view.getBigUint64(dataEnd, true) : BigInt(view.getUint32(dataEnd, true));
    }
  }
  return { status: 'ok', timestamp: view.getBigUint64(layout.timestampOffset, true), dataBytes, lostBefore };
}
