import { compress, decompress, init } from '@bokuweb/zstd-wasm';

/** Level 3 is zstd's own default, and trace-cmd's. */
const level = 3;

let ready: Promise<void> | undefined;

/** Loads the compressor; the other functions may be called once this has resolved. */
export function loadZstd(): Promise<void> {
  ready ??= init();
  return ready;
}

/** Compresses on this thread, about 150 MB/s, into one frame. */
export function zstdCompress(bytes: Uint8Array): Uint8Array {
  return compress(bytes, level);
}

/**
 * Unpacks a frame that must hold exactly `bytes`, whatever it claims itself. The frame may be anything.
 * Returns undefined when it is not that.
 */
export function zstdDecompress(frame: Uint8Array, bytes: number): Uint8Array | undefined {
  const claimed = contentBytes(frame);
  // The library makes room for what a frame claims: one that claims something else is not even tried.
  if (claimed === undefined || (claimed !== 'unsaid' && claimed !== BigInt(bytes))) return undefined;
  try {
    const unpacked = decompress(frame, { defaultHeapSize: bytes });
    return unpacked.length === bytes ? unpacked : undefined;
  } catch {
    return undefined;
  }
}

const frameMagic = 0xfd2fb528;
const reservedBit = 8;
/** What zstd itself takes unless told otherwise: 128 MiB. */
const maxWindowLog = 27;

/** What the frame header (RFC 8878, 3.1.1.1) says of the content's size; undefined when it is no frame. */
function contentBytes(frame: Uint8Array): bigint | 'unsaid' | undefined {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (view.byteLength < 6 || view.getUint32(0, true) !== frameMagic) return undefined;
  const descriptor = view.getUint8(4);
  const singleSegment = (descriptor >> 5) & 1;
  const windowLog = singleSegment === 1 ? 0 : 10 + (view.getUint8(5) >> 3);
  if ((descriptor & reservedBit) !== 0 || windowLog > maxWindowLog) return undefined;
  const flag = descriptor >> 6;
  const sizeBytes = flag === 0 ? singleSegment : 1 << flag;
  const at = 5 + (1 - singleSegment) + [0, 1, 2, 4][descriptor & 3]!;
  if (at + sizeBytes > view.byteLength) return undefined;
  switch (sizeBytes) {
    case 0:
      return 'unsaid';
    case 1:
      return BigInt(view.getUint8(at));
    case 2:
      return BigInt(view.getUint16(at, true) + 256);
    case 4:
      return BigInt(view.getUint32(at, true));
    default:
      return view.getBigUint64(at, true);
  }
}
