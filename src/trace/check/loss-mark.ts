import { commitMask, missedEvents, missedStored, parsePageHeader } from '../ring/page-header.ts';
import type { PageLayout } from '../ring/page-layout.ts';

/** Number of lost events; 'unknown' if some were lost but not counted. */
export type Loss = bigint | 'unknown';

export function addLoss(a: Loss, b: Loss): Loss {
  return a === 'unknown' || b === 'unknown' ? 'unknown' : a + b;
}

/**
 * Marks in a good page that `loss` more events were lost before it, the way the kernel does: sets a flag and, if the
 * count is known and fits, stores it after the data. Modifies the page.
 */
export function markLoss(page: Uint8Array, layout: PageLayout, loss: Loss): void {
  const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
  const header = parsePageHeader(view, layout);
  if (header.status !== 'ok') throw new TypeError(`a ${header.status} page cannot be marked`);
  const total = addLoss(loss, header.lostBefore ?? 0n);
  const countAt = layout.dataOffset + header.dataBytes;
  const counted = total !== 'unknown' && countAt + layout.commitBytes <= layout.pageBytes;
  const flags = counted ? missedEvents | missedStored : missedEvents;
  const dataBytes = view.getUint32(layout.commitOffset, true) & commitMask;
  view.setInt32(layout.commitOffset, dataBytes | flags, true);
  // the kernel's commit is a signed long: bit 31 is sign-extended
  if (layout.commitBytes === 8) view.setUint32(layout.commitOffset + 4, 0xffff_ffff, true);
  if (!counted) return;
  if (layout.commitBytes === 8) view.setBigUint64(countAt, BigInt.asUintN(64, total), true);
  else view.setUint32(countAt, Number(BigInt.asUintN(32, total)), true);
}
