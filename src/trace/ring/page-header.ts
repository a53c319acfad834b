import type { PageLayout } from './page-layout.ts';

/** The reason why a page's header is unusable; nothing in such a page can be read. */
export type HeaderFault =
  /** The size is not that of a page. */
  | 'wrong-page-size'
  /** The commit word claims more data than fits in a page. */
  | 'commit-beyond-page'
  /** The commit word claims a count of lost events after the data, but there is no room for it. */
  | 'lost-count-beyond-page';

export interface PageHeader {
  readonly status: 'ok';
  /** Nanoseconds of the trace clock; base for the page's first delta. */
  readonly timestamp: bigint;
  /** Size of the records, which start at the layout's `dataOffset`. */
  readonly dataBytes: number;
  /** Events that the ring lost before this page: undefined for none, 'unknown' if the kernel stored no count. */
  readonly lostBefore: undefined | 'unknown' | bigint;
}

/** The kernel uses the commit word's top bits as flags; like libtraceevent, take 27 bits as the length. */
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
