import type { FileHandle } from 'node:fs/promises';
import { blocksOf } from '../../file/blocks.ts';
import { ByteReader, TraceFileError } from './byte-reader.ts';
import { chunkCountBytes, type CpuExtent } from '../cpu-data.ts';
import { magic } from '../ids.ts';
import { readV6 } from './read-v6.ts';
import { readV7 } from './read-v7.ts';
import type { TraceFile } from './trace-file.ts';
import { loadZstd, zstdDecompress } from '../zstd.ts';

/** Limit for one chunk, compressed or not; trace-cmd writes chunks of 10 pages. */
const maxChunkBytes = 16 << 20;

/** Reads a trace.dat's headers, metadata and page table, but no pages. Throws TraceFileError. */
export async function readTraceFile(file: FileHandle): Promise<TraceFile> {
  const { size } = await file.stat();
  const open = (position: number): ByteReader => ByteReader.ofFile(file.fd, position, size);
  const reader = open(0);
  if (size < magic.length || !reader.bytes(magic.length).equals(magic)) {
    throw new TraceFileError('it does not begin like a trace.dat');
  }
  const version = reader.string();
  if (version !== '6' && version !== '7') throw new TraceFileError('its version is neither 6 nor 7');
  if (reader.u8() !== 0) throw new TraceFileError('it is from a big-endian machine');
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
 */
export async function* cpuBlocks(
  file: FileHandle,
  { offset, bytes }: CpuExtent,
  compression: TraceFile['compression'],
  pageBytes: number,
  blockBytes?: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { size } = await file.stat();
  if (offset + bytes > size) {
    throw new TraceFileError(`pages at ${offset} to ${offset + bytes} of ${size} bytes`);
  }
  if (compression === 'none') {
    yield* blocksOf(file, offset, bytes, blockBytes);
    return;
  }
  if (bytes === 0) return;
  const reader = ByteReader.ofFile(file.fd, offset, Math.min(size, offset + chunkCountBytes + bytes));
  const chunks = reader.u32();
  for (let index = 0; index < chunks; index++) {
    const frameBytes = reader.u32();
    const chunkBytes = reader.u32();
    if (frameBytes > maxChunkBytes || chunkBytes > maxChunkBytes || chunkBytes % pageBytes !== 0) {
      throw new TraceFileError(`a chunk of ${chunkBytes} bytes in ${frameBytes} at ${reader.position}`);
    }
    const chunk = zstdDecompress(reader.bytes(frameBytes), chunkBytes);
    if (chunk === undefined)
      throw new TraceFileError(`the chunk before ${reader.position} cannot be decompressed`);
    yield chunk;
  }
}
