import { readSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';

/** Read at once. A sub-buffer has 1 MiB at most and a power of two, so a block holds whole ones. */
export const usualBlockBytes = 1 << 20;

/**
 * A part of a file in blocks of 1 MiB, the last one shorter; less when the file ends before. Each is good until the
 * next is asked for. `bytes` gives a file that is still growing an end. Reads at once, for the kernel reads ahead: a
 * block on its way over a thread costs more than the reading, and one that was just read is in the processor's cache.
 */
export async function* blocksOf(
  file: FileHandle,
  start: number,
  bytes: number,
  blockBytes = usualBlockBytes,
): AsyncGenerator<Buffer, void, undefined> {
  const end = start + bytes;
  const block = Buffer.allocUnsafe(Math.min(blockBytes, Math.max(0, bytes)));
  for (let offset = start; ; ) {
    const filledBytes = fill(file, block, offset, end);
    if (filledBytes === 0) return;
    offset += filledBytes;
    yield block.subarray(0, filledBytes);
    if (filledBytes < blockBytes) return;
  }
}

function fill({ fd }: FileHandle, block: Buffer, offset: number, end: number): number {
  const wanted = Math.min(block.length, end - offset);
  let filledBytes = 0;
  while (filledBytes < wanted) {
    const bytesRead = readSync(fd, block, filledBytes, wanted - filledBytes, offset + filledBytes);
    if (bytesRead === 0) break;
    filledBytes += bytesRead;
  }
  return filledBytes;
}
