import { FormatError } from '../format/format-error.ts';
import { parsePageLayout, type PageLayout } from '../ring/page-layout.ts';

/** Limits for the size of a sub-buffer: it is a power of two of system pages, limited by the ring's write counter. */
export const minPageBytes = 4096;
export const maxPageBytes = 1 << 20;

/**
 * Parses `events/header_page` and checks the page size, since block reads and file alignment rely on it. Throws
 * FormatError.
 */
export function parseUsualLayout(text: string): PageLayout {
  const layout = parsePageLayout(text);
  const { pageBytes } = layout;
  if (pageBytes < minPageBytes || pageBytes > maxPageBytes || (pageBytes & (pageBytes - 1)) !== 0) {
    throw new FormatError('events/header_page', `pages of ${pageBytes} bytes`);
  }
  return layout;
}
