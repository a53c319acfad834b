import type { FileHandle } from 'node:fs/promises';
import { blocksOf, readPart } from '../../file/blocks.ts';
import { ByteReader, TraceFileError } from './byte-reader.ts';
import { chunkCountBytes, type CpuExtent } from '../cpu-data.ts';
import { magic } from '../ids.ts';
import { readV6 } from './read-v6.ts';
import { readV7 } from './read-v7.ts';
import type { TraceFile } from './trace-file.ts';
import { loadZstd, zstdDecompress } from '../zstd.ts';

/** Limit for one chunk, compressed or not; trace-cmd writes chunks of 10 pages. */
const maxChunkBytes = 16 << 20;

/** Limits for what is in memory while the pages of all CPUs are merged: one page each, and one chunk each. */
const maxPagesBytes = 256 << 20;
const usualChunkPages = 16;

/**
 * The limit for one chunk of a file: a small file may have thousands of CPUs, each with a chunk that unpacks to much.
 * Throws TraceFileError if even one page of each CPU is too much.
 */
export function chunkLimit({ buffers }: Pick<TraceFile, 'buffers'>, pageBytes: number): number {
  const streams = buffers.flatMap(({ cpus }) => cpus).filter(({ bytes }) => bytes > 0).length;
  if (streams * pageBytes > maxPagesBytes)
    throw new TraceFileError(`${streams} tables of pages of ${pageBytes} bytes each`);
  const share = Math.floor(maxPagesBytes / Math.max(1, streams));
  return Math.min(maxChunkBytes, Math.max(share, usualChunkPages * pageBytes));
}

/** Reads a trace.dat's headers, metadata and page table, but no pages. Throws TraceFileError. */
export async function readTraceFile(file: FileHandle): Promise<TraceFile> {
  const { size } = await file.stat();
  const open = (position: number): ByteReader => ByteReader.ofFile(file.fd, position, size);
  const reader = open(0);
  if (size < magic.length || !reader.bytes(magic.length).equals(magic)) {
    throw new TraceFileError('it does not begin like a trace.dat', 'other');
  }
  const version = reader.string();
  if (version !== '6' && version !== '7')
    throw new TraceFileError('its version is neither 6 nor 7', 'unsupported');
  if (reader.u8() !== 0) throw new TraceFileError('it is from a big-endian machine', 'unsupported');
  // sizes of long and of a page: the header page gives both more reliably
  reader.skip(1 + 4);
  await loadZstd();
  const trace = version === '6' ? readV6(reader, open) : readV7(reader, open);
  // in a bad file all tables may point to the same place, which would be read over and over
  const pageBytes = trace.buffers.flatMap(({ cpus }) => cpus).reduce((sum, { bytes }) => sum + bytes, 0);
  if (pageBytes > size) throw new TraceFileError(`pages of ${pageBytes} bytes in ${size}`);
  return trace;
}

/**
 * A CPU's pages in blocks of whole pages; each block is valid until the next is requested.
 * Throws TraceFileError if the file does not have them where its table says.
 * @param step where to begin, one of `cpuSteps`
 */
export async function* cpuBlocks(
  file: FileHandle,
  { offset, bytes }: CpuExtent,
  compression: TraceFile['compression'],
  pageBytes: number,
  blockBytes?: number,
  step = 0,
  mostBytes = maxChunkBytes,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { size } = await file.stat();
  if (offset + bytes > size) {
    throw new TraceFileError(`pages at ${offset} to ${offset + bytes} of ${size} bytes`);
  }
  if (compression === 'none') {
    const skippedBytes = Math.min(bytes, step * pageBytes);
    yield* blocksOf(file, offset + skippedBytes, bytes - skippedBytes, blockBytes);
    return;
  }
  if (bytes === 0) return;
  const end = Math.min(size, offset + chunkCountBytes + bytes);
  const reader = ByteReader.ofFile(file.fd, offset, end);
  const chunks = reader.u32();
  if (step > 0) reader.position = chunkOffsets(file.fd, offset, end, pageBytes)[step] ?? end;
  for (let index = step; index < chunks; index++) yield chunkAt(reader, pageBytes, mostBytes);
}

function chunkAt(reader: ByteReader, pageBytes: number, mostBytes: number): Uint8Array {
  const frameBytes = reader.u32();
  const chunkBytes = reader.u32();
  if (frameBytes > maxChunkBytes || chunkBytes > mostBytes || chunkBytes % pageBytes !== 0) {
    throw new TraceFileError(`a chunk of ${chunkBytes} bytes in ${frameBytes} at ${reader.position}`);
  }
  const chunk = zstdDecompress(reader.bytes(frameBytes), chunkBytes);
  if (chunk === undefined)
    throw new TraceFileError(`the chunk before ${reader.position} cannot be decompressed`);
  return chunk;
}

/** The places where reading a CPU's pages can begin. */
export interface CpuSteps {
  readonly count: number;
  readonly read: (step: number) => Uint8Array;
}

/**
 * A CPU's pages, or its chunks up to the first that does not fit the file. Blocks. `read` throws TraceFileError for a
 * chunk that cannot be decompressed.
 */
export function cpuSteps(
  { fd }: FileHandle,
  size: number,
  { offset, bytes }: CpuExtent,
  compression: TraceFile['compression'],
  pageBytes: number,
  mostBytes = maxChunkBytes,
): CpuSteps {
  const end = Math.min(size, offset + bytes);
  if (compression === 'none')
    return {
      count: Math.max(0, Math.floor((end - offset) / pageBytes)),
      read: (step) => {
        const at = offset + step * pageBytes;
        return readPart(fd, at, Math.max(0, Math.min(2 * pageBytes, end - at)));
      },
    };
  const chunks = chunkOffsets(fd, offset, Math.min(size, end + chunkCountBytes), pageBytes);
  return {
    count: chunks.length,
    // a reader reads ahead up to its end
    read: (step) =>
      chunkAt(ByteReader.ofFile(fd, chunks[step]!, chunks[step + 1] ?? size), pageBytes, mostBytes),
  };
}

/** Reads the lengths only: a reader with a window would read all that is between them. */
function chunkOffsets(fd: number, offset: number, end: number, pageBytes: number): number[] {
  const offsets: number[] = [];
  const count = readPart(fd, offset, chunkCountBytes);
  const chunks = count.length < chunkCountBytes ? 0 : count.readUInt32LE();
  for (let at = offset + chunkCountBytes; offsets.length < chunks; ) {
    const lengths = readPart(fd, at, 8);
    if (lengths.length < 8) break;
    const frameBytes = lengths.readUInt32LE();
    const chunkBytes = lengths.readUInt32LE(4);
    if (frameBytes > maxChunkBytes || chunkBytes > maxChunkBytes || chunkBytes % pageBytes !== 0) break;
    if (at + 8 + frameBytes > end) break;
    offsets.push(at);
    at += 8 + frameBytes;
  }
  return offsets;
}
