import { compress, decompress, init } from '@bokuweb/zstd-wasm';

/** Compression level: the default of both zstd and trace-cmd. */
const level = 3;

let ready: Promise<void> | undefined;

/** Loads the compressor. Await this before calling the other functions. */
export function loadZstd(): Promise<void> {
  ready ??= init();
  return ready;
}

/** Compresses into one frame. Blocks; about 150 MB/s. */
export function zstdCompress(bytes: Uint8Array): Uint8Array {
  return compress(bytes, level);
}

/**
 * Decompresses a frame that must contain exactly `bytes` bytes. The frame is untrusted.
 * Returns undefined if it is not a frame of that size. Blocks.
 */
export function zstdDecompress(frame: Uint8Array, bytes: number): Uint8Array | undefined {
  const claimed = contentBytes(frame);
  // the library allocates the size that a frame claims: do not try a frame that claims another size
  if (claimed === undefined || (claimed !== 'unspecified' && claimed !== BigInt(bytes))) return undefined;
  try {
    const unpacked = decompress(frame, { defaultHeapSize: bytes });
    return unpacked.length === bytes ? unpacked : undefined;
  } catch {
    return undefined;
  }
}

const frameMagic = 0xfd2fb528;
const reservedBit = 8;
/** Limit for the window size: 128 MiB, zstd's own default. */
const maxWindowLog = 27;

/** The content size in the frame header (RFC 8878, 3.1.1.1); undefined if it is not a frame. */
function contentBytes(frame: Uint8Array): bigint | 'unspecified' | undefined {
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
      return 'unspecified';
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
