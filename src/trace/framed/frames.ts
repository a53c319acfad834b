import { readSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { decodeFrameHeader, type FrameHeader, frameHeaderSize, isFramed } from '../../protocol/frames.ts';

/** Read at once while a header is looked for, at first and at most. */
const firstScanBytes = 4096;
const lastScanBytes = 1 << 20;
/** Headers read without a turn for the event loop. */
const framesPerTurn = 4096;

/** A frame as it is in the file. */
export interface Frame extends FrameHeader {
  /** Where its first byte behind the header is. */
  readonly offset: number;
  /** How many bytes of it are there: fewer than `bytes` when it was cut off. */
  readonly thereBytes: number;
}

/** How a stream ended. */
export interface StreamTail {
  /** Bytes behind the last frame that are none. */
  readonly strayBytes: number;
  /** They begin as another stream does: two were appended to one file. */
  readonly another: boolean;
}

/**
 * The frames of a stream, in order. A frame may be cut off at any byte, by the death of the process that wrote it; the
 * next header follows. So one is believed to be whole when a header, or the end of the file, stands where it ends; else the
 * next header is looked for in it. Whatever the file is, each byte is looked at once or twice.
 * @param start behind the stream's head
 * @param end the file's size
 * @param thorough looks for headers in all of it: one may stand by chance where a frame that was cut off should have ended
 */
export async function* framesOf(
  file: FileHandle,
  sync: Uint8Array,
  start: number,
  end: number,
  thorough: boolean,
): AsyncGenerator<Frame, StreamTail, undefined> {
  const here = Buffer.alloc(frameHeaderSize);
  const block = Buffer.allocUnsafe(lastScanBytes + frameHeaderSize);
  // The file may grow meanwhile: what is behind `end` is none of this stream's.
  const headerAt = (offset: number): FrameHeader | undefined =>
    offset + frameHeaderSize <= end && readAt(file, here, offset) === frameHeaderSize
      ? decodeFrameHeader(sync, here)
      : undefined;
  let offset = await findHeader(file, sync, block, start, end);
  let header = headerAt(offset);
  for (let frames = 1; header !== undefined; frames += 1) {
    if (frames % framesPerTurn === 0) await nextTurn();
    const body = offset + frameHeaderSize;
    const bodyEnd = body + header.bytes;
    let next = bodyEnd;
    let following = bodyEnd < end && !thorough ? headerAt(bodyEnd) : undefined;
    if (following === undefined && (bodyEnd !== end || thorough)) {
      next = await findHeader(file, sync, block, body, end);
      following = headerAt(next);
    }
    yield { ...header, offset: body, thereBytes: Math.min(bodyEnd, next, end) - body };
    if (following === undefined) {
      const strayBytes = Math.max(0, end - bodyEnd);
      const another = strayBytes > 0 && readAt(file, here, bodyEnd) > 0 && isFramed(here);
      return { strayBytes, another };
    }
    offset = next;
    header = following;
  }
  return { strayBytes: end - start, another: false };
}

/** @returns where the first header at `from` or behind is; `end` when there is none */
async function findHeader(
  file: FileHandle,
  sync: Uint8Array,
  block: Buffer,
  from: number,
  end: number,
): Promise<number> {
  // Most often it is near, and a stream of nothing but headers must not cost a large read for each.
  let scanBytes = firstScanBytes;
  for (let offset = from; offset < end; ) {
    // Pieces overlap by a header, so that each is found whole in one of them.
    const piece = block.subarray(0, scanBytes + frameHeaderSize);
    const bytes = piece.subarray(0, Math.min(readAt(file, piece, offset), end - offset));
    for (let at = bytes.indexOf(sync); at >= 0 && at < scanBytes; at = bytes.indexOf(sync, at + 1)) {
      if (at + frameHeaderSize > bytes.length) break;
      if (decodeFrameHeader(sync, bytes.subarray(at)) !== undefined) return offset + at;
    }
    offset += scanBytes;
    if (scanBytes === lastScanBytes) await nextTurn();
    else scanBytes *= 2;
  }
  return end;
}

/** Fills the buffer as far as the file goes. @returns bytes read */
function readAt({ fd }: FileHandle, buffer: Buffer, offset: number): number {
  let filled = 0;
  while (filled < buffer.length) {
    const got = readSync(fd, buffer, filled, buffer.length - filled, offset + filled);
    if (got === 0) break;
    filled += got;
  }
  return filled;
}
