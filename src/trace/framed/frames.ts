import { readSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { decodeFrameHeader, type FrameHeader, frameHeaderSize, isFramed } from '../../protocol/frames.ts';

/** Number of bytes to read while searching for a header: the first time, and at most. */
const firstScanBytes = 4096;
const lastScanBytes = 1 << 20;
/** Headers to read before yielding to the event loop. */
const framesPerTurn = 4096;

/** A frame's location in the file. */
export interface Frame extends FrameHeader {
  /** Offset of the first byte after the header. */
  readonly offset: number;
  /** Number of its bytes that are present: fewer than `bytes` if the frame was cut off. */
  readonly thereBytes: number;
}

/** The end of a stream. */
export interface StreamTail {
  /** Bytes after the last frame that belong to no frame. */
  readonly strayBytes: number;
  /** Whether these bytes begin like another stream: then two streams were appended to one file. */
  readonly another: boolean;
}

/**
 * The frames of a stream, in order. A frame may be cut off at any byte if its writer died; the next header then follows
 * there. So a frame counts as whole if a header, or the end of the file, follows its end; otherwise the next header is
 * searched for inside it. Reads each byte at most twice, whatever the file contains.
 * @param start offset after the stream's head
 * @param end size of the file
 * @param thorough whether to search the whole file for headers: a frame that was cut off counts as whole if some header
 * happens to be where the frame should have ended
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
  // the file may be growing: ignore everything after `end`
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

/** @returns offset of the first header at or after `from`; `end` if there is none */
async function findHeader(
  file: FileHandle,
  sync: Uint8Array,
  block: Buffer,
  from: number,
  end: number,
): Promise<number> {
  // start small: the header is usually near, and a stream of only headers must not cost a large read for each
  let scanBytes = firstScanBytes;
  for (let offset = from; offset < end; ) {
    // pieces overlap by a header, so that each header is whole in one of them
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

/** Fills the buffer, up to the end of the file. @returns bytes read */
function readAt({ fd }: FileHandle, buffer: Buffer, offset: number): number {
  let filled = 0;
  while (filled < buffer.length) {
    const got = readSync(fd, buffer, filled, buffer.length - filled, offset + filled);
    if (got === 0) break;
    filled += got;
  }
  return filled;
}
