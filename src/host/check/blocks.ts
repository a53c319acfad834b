import type { FileHandle } from 'node:fs/promises';

/** Read at once. A sub-buffer has 1 MiB at most and a power of two, so a block holds whole ones. */
const blockBytes = 1 << 20;

/**
 * A part of a file in blocks of 1 MiB, the last one shorter; less when the file ends before. Holds two blocks: one is
 * read while the other is used, and each is good until the next is asked for. `bytes` gives a file that is still
 * growing an end.
 */
export async function* blocksOf(
  file: FileHandle,
  start: number,
  bytes: number,
): AsyncGenerator<Buffer, void, undefined> {
  const end = start + bytes;
  let reading = fill(file, Buffer.allocUnsafe(blockBytes), start, end);
  let spare: Buffer = Buffer.allocUnsafe(blockBytes);
  for (let offset = start; ; ) {
    const { block, filledBytes } = await reading;
    if (filledBytes === 0) return;
    offset += filledBytes;
    const ended = filledBytes < blockBytes;
    if (!ended) reading = fill(file, spare, offset, end);
    // A consumer that stops early leaves this read behind: its failure is nobody's then.
    reading.catch(() => undefined);
    yield block.subarray(0, filledBytes);
    if (ended) return;
    spare = block;
  }
}

async function fill(
  file: FileHandle,
  block: Buffer,
  offset: number,
  end: number,
): Promise<{ block: Buffer; filledBytes: number }> {
  const wanted = Math.min(block.length, end - offset);
  let filledBytes = 0;
  while (filledBytes < wanted) {
    const { bytesRead } = await file.read(block, filledBytes, wanted - filledBytes, offset + filledBytes);
    if (bytesRead === 0) break;
    filledBytes += bytesRead;
  }
  return { block, filledBytes };
}
