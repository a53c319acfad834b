import { FormatError } from '../format/format-error.ts';
import { parsePageLayout, type PageLayout } from '../ring/page-layout.ts';

/** Sub-buffers are system pages in a power of two, and at most what the ring's write counter holds. */
export const minPageBytes = 4096;
export const maxPageBytes = 1 << 20;

/**
 * The layout that the text of `events/header_page` describes, of a size that a kernel's pages can have: what comes in
 * blocks, and is aligned in files, relies on it. Throws FormatError.
 */
export function parseUsualLayout(text: string): PageLayout {
  const layout = parsePageLayout(text);
  const { pageBytes } = layout;
  if (pageBytes < minPageBytes || pageBytes > maxPageBytes || (pageBytes & (pageBytes - 1)) !== 0) {
    throw new FormatError('events/header_page', `pages of ${pageBytes} bytes`);
  }
  return layout;
}
