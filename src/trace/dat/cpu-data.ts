import type { FileHandle } from 'node:fs/promises';
import type { PageRun } from '../check/checked-runs.ts';
import type { Output } from '../file/output.ts';
import { zstdCompress } from './zstd.ts';

/** Location of a CPU's data in the file. */
export interface CpuExtent {
  readonly cpu: number;
  readonly offset: number;
  readonly bytes: number;
}

/** A CPU's pages to write to a file. */
export interface CpuSource {
  readonly cpu: number;
  readonly raw: FileHandle;
  readonly runs: AsyncIterable<PageRun>;
}

/** Pages per compressed chunk, same as trace-cmd. */
const chunkPages = 10;
/** Bytes per copy request to the kernel; the next pages are checked meanwhile. */
const rangeBytes = 16 << 20;
/** Size of the chunk count, which trace-cmd excludes from the size of a CPU's compressed data. */
export const chunkCountBytes = 4;

/** A raw file is shorter than when it was opened. */
export class RawFileShrank extends Error {}

/**
 * Appends the pages uncompressed, page-aligned. Copies unmodified pages straight from the raw file while the next
 * pages are read and checked.
 */
export async function appendPages(output: Output, source: CpuSource, pageBytes: number): Promise<CpuExtent> {
  await output.align(pageBytes);
  const { offset } = output;
  let copying: Promise<void> = Promise.resolve();
  let from = 0;
  let bytes = 0;
  const flush = async (): Promise<void> => {
    await copying;
    const [start, length] = [from, bytes];
    bytes = 0;
    copying = copyAll(output, source.raw, start, length);
    // awaited at the next flush: until then a rejection must not count as unhandled
    copying.catch(() => undefined);
  };
  try {
    for await (const run of source.runs) {
      if (run.rawOffset === undefined) {
        await flush();
        await copying;
        await output.append(run.bytes);
        continue;
      }
      if (run.rawOffset !== from + bytes) {
        await flush();
        from = run.rawOffset;
      } else if (bytes >= rangeBytes) {
        await flush();
        from = run.rawOffset;
      }
      bytes += run.bytes.length;
    }
    await flush();
    await copying;
  } finally {
    // wait for the copy: the caller closes the files next, and their descriptors may be reused
    await copying.catch(() => undefined);
  }
  return { cpu: source.cpu, offset, bytes: output.offset - offset };
}

async function copyAll(output: Output, raw: FileHandle, from: number, bytes: number): Promise<void> {
  const copied = await output.appendRange(raw, from, bytes);
  if (copied < bytes) throw new RawFileShrank();
}

/**
 * Appends the pages as zstd chunks, page-aligned as a whole: a u32 chunk count, then for each chunk two u32 lengths and
 * a frame.
 */
export async function appendCompressed(
  output: Output,
  source: CpuSource,
  pageBytes: number,
): Promise<CpuExtent> {
  await output.align(pageBytes);
  const { offset } = output;
  const count = Buffer.alloc(chunkCountBytes);
  await output.append(count);
  const chunk = Buffer.allocUnsafe(chunkPages * pageBytes);
  let filledBytes = 0;
  let chunks = 0;
  const flush = async (): Promise<void> => {
    if (filledBytes === 0) return;
    await output.append(frameOf(chunk.subarray(0, filledBytes)));
    filledBytes = 0;
    chunks++;
  };
  for await (const { bytes } of source.runs) {
    for (let at = 0; at < bytes.length; ) {
      const taken = Math.min(bytes.length - at, chunk.length - filledBytes);
      chunk.set(bytes.subarray(at, at + taken), filledBytes);
      at += taken;
      filledBytes += taken;
      if (filledBytes === chunk.length) await flush();
    }
  }
  await flush();
  count.writeUInt32LE(chunks);
  await output.writeAt(offset, count);
  return { cpu: source.cpu, offset, bytes: output.offset - offset - chunkCountBytes };
}

/** A zstd frame preceded by two u32: its compressed and its original length. */
export function frameOf(bytes: Uint8Array): Buffer {
  const frame = zstdCompress(bytes);
  const lengths = Buffer.alloc(8);
  lengths.writeUInt32LE(frame.length, 0);
  lengths.writeUInt32LE(bytes.length, 4);
  return Buffer.concat([lengths, frame]);
}
