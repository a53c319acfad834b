import { readSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { usualBlockBytes, blocksOf } from '../file/blocks.ts';
import type { PageRun } from '../check/checked-runs.ts';

/** A CPU's raw pages: a whole file, or extents of a file. */
export interface RawPages {
  readonly file: FileHandle;
  readonly bytes: number;
  /** All pages in blocks; each block is valid until the next is requested. Call once. */
  blocks(): AsyncIterable<Uint8Array>;
  /** Maps runs of these pages to file offsets. The runs must be in order. */
  placed(runs: AsyncIterable<PageRun>): AsyncIterable<PageRun>;
}

/** The pages of a whole file. */
export function pagesOfFile(file: FileHandle, bytes: number): RawPages {
  return { file, bytes, blocks: () => blocksOf(file, 0, bytes), placed: (runs) => runs };
}

interface Extent {
  readonly offset: number;
  readonly bytes: number;
}

/** @param extents returns the extents, which together hold whole pages; called again for each read */
export function pagesOfExtents(file: FileHandle, extents: () => Iterable<Extent>): RawPages {
  let total = 0;
  for (const { bytes } of extents()) total += bytes;
  return {
    file,
    bytes: total,
    blocks: () => extentBlocks(file, extents(), total),
    placed: (runs) => placedRuns(runs, extents()),
  };
}

// oxlint-disable-next-line typescript/require-await -- same type as blocksOf, which awaits
async function* extentBlocks(
  { fd }: FileHandle,
  extents: Iterable<Extent>,
  total: number,
): AsyncGenerator<Buffer> {
  const block = Buffer.allocUnsafe(Math.min(usualBlockBytes, total));
  let filled = 0;
  for (const { offset, bytes } of extents) {
    for (let done = 0; done < bytes; ) {
      const got = readSync(fd, block, filled, Math.min(bytes - done, block.length - filled), offset + done);
      // the file shrank: an incomplete last page counts as truncated
      if (got === 0) break;
      done += got;
      filled += got;
      if (filled < block.length) continue;
      yield block;
      filled = 0;
    }
  }
  if (filled > 0) yield block.subarray(0, filled);
}

async function* placedRuns(runs: AsyncIterable<PageRun>, extents: Iterable<Extent>): AsyncGenerator<PageRun> {
  const pieces = extents[Symbol.iterator]();
  let piece: Extent = { offset: 0, bytes: 0 };
  let from = 0;
  for await (const run of runs) {
    if (run.rawOffset === undefined) {
      yield run;
      continue;
    }
    for (let done = 0; done < run.bytes.length; ) {
      const at = run.rawOffset + done;
      while (at >= from + piece.bytes) {
        from += piece.bytes;
        const next = pieces.next();
        if (next.done === true) throw new Error('a run of pages outside all extents');
        piece = next.value;
      }
      const end = Math.min(run.bytes.length, done + from + piece.bytes - at);
      yield { bytes: run.bytes.subarray(done, end), rawOffset: piece.offset + at - from };
      done = end;
    }
  }
}
