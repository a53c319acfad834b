import type { PageLayout } from '../../../../src/trace/ring/page-layout.ts';

/** 64-bit pages of 128 bytes: small enough to write out manually. */
export const smallLayout: PageLayout = {
  pageBytes: 128,
  timestampOffset: 0,
  commitOffset: 8,
  commitBytes: 8,
  dataOffset: 16,
};

export interface MadePage {
  readonly timestamp?: bigint;
  /** The page's data as little-endian words. */
  readonly words?: readonly number[];
  /** Replaces the commit word that fits `words`. */
  readonly commit?: bigint;
  readonly layout?: PageLayout;
}

/** One page as bytes, with zeros after its data. */
export function madePage(made: MadePage): Uint8Array {
  const { timestamp = 1000n, words = [], layout = smallLayout } = made;
  const page = new Uint8Array(layout.pageBytes);
  const view = new DataView(page.buffer);
  view.setBigUint64(layout.timestampOffset, timestamp, true);
  const commit = made.commit ?? BigInt(words.length * 4);
  if (layout.commitBytes === 8) view.setBigUint64(layout.commitOffset, commit, true);
  else view.setUint32(layout.commitOffset, Number(commit), true);
  for (const [index, word] of words.entries()) view.setUint32(layout.dataOffset + index * 4, word, true);
  return page;
}

/** A record's first word. */
export function head(type: number, delta: number): number {
  return ((delta << 5) | type) >>> 0;
}
