import { readSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';

/** Bytes per read. A sub-buffer is a power of two of at most 1 MiB, so a block holds whole sub-buffers. */
export const usualBlockBytes = 1 << 20;

/**
 * A part of a file in blocks of `blockBytes`, the last one shorter; ends early if the file does. Each block is valid
 * until the next is requested. `bytes` limits the read in a file that is still growing. Blocks the thread: the kernel
 * reads ahead, so handing a block to another thread costs more than the read, and a fresh block is in the CPU cache.
 * @param into used for the blocks, if it has their size
 */
export async function* blocksOf(
  file: FileHandle,
  start: number,
  bytes: number,
  blockBytes = usualBlockBytes,
  into?: Buffer,
): AsyncGenerator<Buffer, void, undefined> {
  const end = start + bytes;
  const block =
    into?.length === blockBytes ? into : Buffer.allocUnsafe(Math.min(blockBytes, Math.max(0, bytes)));
  for (let offset = start; ; ) {
    const filledBytes = fill(file.fd, block, offset, end);
    if (filledBytes === 0) return;
    offset += filledBytes;
    yield block.subarray(0, filledBytes);
    if (filledBytes < blockBytes) return;
  }
}

/** A part of a file; shorter if the file ends earlier. Blocks. */
export function readPart(fd: number, offset: number, bytes: number): Buffer {
  const part = Buffer.allocUnsafe(bytes);
  return part.subarray(0, fill(fd, part, offset, offset + bytes));
}

function fill(fd: number, block: Buffer, offset: number, end: number): number {
  const wanted = Math.min(block.length, end - offset);
  let filledBytes = 0;
  while (filledBytes < wanted) {
    const bytesRead = readSync(fd, block, filledBytes, wanted - filledBytes, offset + filledBytes);
    if (bytesRead === 0) break;
    filledBytes += bytesRead;
  }
  return filledBytes;
}
