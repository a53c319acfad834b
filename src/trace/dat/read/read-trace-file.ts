import type { FileHandle } from 'node:fs/promises';
import { ByteReader, TraceFileError } from './byte-reader.ts';
import { magic } from '../ids.ts';
import { readV6 } from './read-v6.ts';
import { readV7 } from './read-v7.ts';
import type { TraceFile } from './trace-file.ts';
import { loadZstd } from '../zstd.ts';
import { maxChunkBytes } from './cpu-pages.ts';

/** Limits for memory while the pages of all CPUs are merged: for one page per CPU, and for one chunk per CPU. */
const maxPagesBytes = 256 << 20;
const usualChunkPages = 16;

/**
 * The limit for one chunk of a file: a small file may have thousands of CPUs, each with a chunk that decompresses to
 * many MiB. Throws TraceFileError if even one page of each CPU is too much.
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
