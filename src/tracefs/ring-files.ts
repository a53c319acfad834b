/** The content of `per_cpu/cpuN/stats`. Counts are capped at Number.MAX_SAFE_INTEGER. */
export interface RingStats {
  /** Unread events in the ring. */
  readonly entries: number;
  /** Events that were overwritten by newer ones. */
  readonly overrun: number;
  /** Events lost because an interrupt filled the whole ring on top of an unfinished write. */
  readonly commitOverrun: number;
  /** Unread bytes in the ring. */
  readonly bytes: number;
  /**
   * Time of the oldest event in the trace clock's own unit: seconds with a fraction, or a bare count (`counter`,
   * `x86-tsc`).
   */
  readonly oldestEventTs: string;
  readonly nowTs: string;
  /** Events dropped because the ring was full and not in overwrite mode. */
  readonly droppedEvents: number;
  readonly readEvents: number;
}

/** Parses the text of a `stats` file. Throws an Error that names a missing line. */
export function parseRingStats(text: string): RingStats {
  return {
    entries: count(text, 'entries'),
    overrun: count(text, 'overrun'),
    commitOverrun: count(text, 'commit overrun'),
    bytes: count(text, 'bytes'),
    oldestEventTs: field(text, 'oldest event ts'),
    nowTs: field(text, 'now ts'),
    droppedEvents: count(text, 'dropped events'),
    readEvents: count(text, 'read events'),
  };
}

function field(text: string, name: string): string {
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${name}:`));
  const value = line?.slice(name.length + 1).trim();
  if (!value) throw new Error(`ring statistics without "${name}"`);
  return value;
}

function count(text: string, name: string): number {
  const value = field(text, name);
  if (!/^\d{1,20}$/.test(value)) throw new Error(`ring statistics with "${name}: ${value}"`);
  return Math.min(Number(value), Number.MAX_SAFE_INTEGER);
}

/** Offset and size of a sub-buffer's data, in bytes. */
export interface PageLayout {
  readonly dataOffset: number;
  readonly dataBytes: number;
}

/** 128 system pages of 64 KiB: the largest sub-buffer of any kernel. */
const maxPageBytes = 8 << 20;

/** Parses the text of `events/header_page`. Throws an Error when it has no usable `data` field. */
export function parsePageLayout(text: string): PageLayout {
  const match = /\bfield:\s*char data;\s*offset:(\d{1,8});\s*size:(\d{1,8});/.exec(text);
  if (!match) throw new Error('header_page without a data field');
  const layout = { dataOffset: Number(match[1]), dataBytes: Number(match[2]) };
  if (
    layout.dataOffset < 12 ||
    layout.dataBytes === 0 ||
    layout.dataOffset + layout.dataBytes > maxPageBytes
  ) {
    throw new Error(`header_page with data at ${layout.dataOffset}, ${layout.dataBytes} bytes`);
  }
  return layout;
}

/**
 * A `buffer_size_kb` file: `1410`; `7 (expanded: 1408)` for a ring that is expanded to the second size when the
 * first event or tracer is enabled; `X` when the CPUs differ (`kb` undefined).
 */
export interface BufferSize {
  readonly kb: number | undefined;
  readonly expandedKb: number | undefined;
}

/** Parses the text of a `buffer_size_kb` file, top-level or per CPU. Throws an Error for any other form. */
export function parseBufferSize(text: string): BufferSize {
  if (text.trim() === 'X') return { kb: undefined, expandedKb: undefined };
  const match = /^(\d{1,15})(?: \(expanded: (\d{1,15})\))?$/.exec(text.trim());
  if (!match) throw new Error(`buffer_size_kb says "${text.trim().slice(0, 80)}"`);
  return { kb: Number(match[1]), expandedKb: match[2] === undefined ? undefined : Number(match[2]) };
}

/**
 * Sub-buffers in a ring of `kb`. The kernel allocates as many as hold that much *data*, at least two, and reports the
 * size rounded down to KB. Rounding up gives the kernel's number again, because a sub-buffer holds more than 1 KB.
 */
export function subBuffersOf(kb: number, dataBytes: number): number {
  return Math.max(2, Math.ceil((kb * 1024) / dataBytes));
}
