import { instanceFileNames } from '../../protocol/instance-files.ts';

/** The instance's own files that describe its pages. */
export const instanceFiles = { page: 'events/header_page', clock: 'trace_clock' } as const;

const own: ReadonlySet<string> = new Set(instanceFileNames);

export function isInstanceFile(name: string): boolean {
  return own.has(name) || /^per_cpu\/cpu\d+\/stats$/.test(name);
}

/**
 * Adapts the text of `events/header_page` to another page size: an instance's text differs from the top level's only in
 * the size of `data`. Returns a malformed text unchanged; its parser will reject it.
 */
export function withPageBytes(headerPage: Buffer | undefined, pageBytes: number): Buffer {
  const text = headerPage?.toString('latin1') ?? '';
  const [, before = '', offset = '', between = '', size = ''] =
    /(\bfield:\s*char data;\s*offset:)(\d{1,8})(;\s*size:)(\d{1,8});/.exec(text) ?? [];
  const dataBytes = pageBytes - Number(offset);
  const usual = (pageBytes & (pageBytes - 1)) === 0 && dataBytes > 0;
  if (headerPage === undefined || size === '' || !usual || Number(size) === dataBytes)
    return headerPage ?? Buffer.alloc(0);
  const found = `${before}${offset}${between}${size};`;
  return Buffer.from(text.replace(found, `${before}${offset}${between}${dataBytes};`), 'latin1');
}
