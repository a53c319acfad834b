/**
 * The framed form of `trace-agent -o`, written by supervisor and workers and read by trace-host: docs/framed-output.md
 * is the reference. The stream is a head, followed by frames. Each frame is a header, followed by as many bytes as the
 * header says. Numbers are little-endian.
 */
export const headSize = 24;
export const frameHeaderSize = 32;
const checkedSize = 28;
export const syncSize = 8;
export const framesVersion = 1;

/**
 * The first bytes of the head. No text begins with them, and they show whether a program has converted line endings.
 */
const magic = Uint8Array.from([0x89, 0x76, 0x74, 0x72, 0x61, 0x63, 0x65, 0x0a]); // "\x89vtrace\n"

export const frameKinds = {
  /** JSON, before all pages: what is traced. */
  about: 1,
  /** The metadata archive, before all pages. */
  metadata: 2,
  /** Pages of one CPU, or a part of one. */
  pages: 3,
  /** The metadata that changed, and the names of tasks, after all pages. */
  laterMetadata: 4,
  /** JSON, the last frame: what the stream should hold, and the rings' counts. */
  end: 5,
} as const;
export type FrameKind = (typeof frameKinds)[keyof typeof frameKinds];

const kinds: ReadonlySet<number> = new Set(Object.values(frameKinds));

export interface StreamHead {
  readonly version: number;
  readonly pageBytes: number;
  /** Every frame header of this stream begins with these bytes: random ones, so that no page contains them. */
  readonly sync: Uint8Array;
}

export interface FrameHeader {
  readonly kind: FrameKind;
  /** 0 for frames that belong to no CPU. */
  readonly cpu: number;
  /** Size of the content. The content is cut off if another header follows earlier. */
  readonly bytes: number;
  /** Number of bytes of this CPU's pages that precede those in this frame. */
  readonly position: number;
}

export function encodeHead({ pageBytes, sync }: Omit<StreamHead, 'version'>): Uint8Array {
  const head = new Uint8Array(headSize);
  head.set(magic);
  const view = new DataView(head.buffer);
  view.setUint32(8, framesVersion, true);
  view.setUint32(12, pageBytes, true);
  head.set(sync, 16);
  return head;
}

/** Whether `bytes` begins like a framed stream. */
export function isFramed(bytes: Uint8Array): boolean {
  return magic.every((byte, index) => bytes[index] === byte);
}

/** @param bytes at least `headSize` bytes for which `isFramed` is true */
export function decodeHead(bytes: Uint8Array): StreamHead {
  const view = new DataView(bytes.buffer, bytes.byteOffset, headSize);
  return {
    version: view.getUint32(8, true),
    pageBytes: view.getUint32(12, true),
    sync: bytes.slice(16, headSize),
  };
}

export function encodeFrameHeader(sync: Uint8Array, { kind, cpu, bytes, position }: FrameHeader): Uint8Array {
  const header = new Uint8Array(frameHeaderSize);
  header.set(sync);
  const view = new DataView(header.buffer);
  view.setUint16(8, kind, true);
  view.setUint16(10, cpu, true);
  view.setUint32(12, bytes, true);
  view.setBigUint64(16, BigInt(position), true);
  view.setUint32(checkedSize, checkOf(header), true);
  return header;
}

/**
 * Checksum of a header: FNV-1a of the bytes before it. A header can be cut off and followed by another one; without a
 * checksum, the two could be mistaken for one header.
 */
function checkOf(header: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < checkedSize; at += 1) hash = Math.imul(hash ^ (header[at] ?? 0), 0x01000193);
  return hash >>> 0;
}

/** @param bytes at least `frameHeaderSize`. @returns undefined if they are not a header of this stream */
export function decodeFrameHeader(sync: Uint8Array, bytes: Uint8Array): FrameHeader | undefined {
  if (!sync.every((byte, index) => bytes[index] === byte)) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, frameHeaderSize);
  if (view.getUint32(checkedSize, true) !== checkOf(bytes)) return undefined;
  const kind = view.getUint16(8, true);
  const position = view.getBigUint64(16, true);
  if (!isKind(kind) || position > BigInt(Number.MAX_SAFE_INTEGER)) return undefined;
  return {
    kind,
    cpu: view.getUint16(10, true),
    bytes: view.getUint32(12, true),
    position: Number(position),
  };
}

function isKind(kind: number): kind is FrameKind {
  return kinds.has(kind);
}
