import type { FileHandle } from 'node:fs/promises';
import { blocksOf, readPart } from '../../file/blocks.ts';
import { chunkCountBytes, type CpuExtent } from '../cpu-data.ts';
import { zstdDecompress } from '../zstd.ts';
import { ByteReader, TraceFileError } from './byte-reader.ts';
import type { TraceFile } from './trace-file.ts';

/** Limit for one chunk, compressed or not; trace-cmd writes chunks of 10 pages. */
export const maxChunkBytes = 16 << 20;

/** The places where reading a CPU's pages can begin. */
export interface CpuSteps {
  readonly count: number;
  readonly read: (step: number) => Uint8Array;
}

/** The pages of one CPU in a trace.dat. */
export class CpuPages {
  readonly #file: FileHandle;
  readonly #fileBytes: number;
  readonly #extent: CpuExtent;
  readonly #compression: TraceFile['compression'];
  readonly #pageBytes: number;
  readonly #mostBytes: number;
  #offsets: readonly number[] | undefined;

  /** @param mostBytes limit for a chunk */
  constructor(
    file: FileHandle,
    fileBytes: number,
    extent: CpuExtent,
    compression: TraceFile['compression'],
    pageBytes: number,
    mostBytes: number,
  ) {
    this.#file = file;
    this.#fileBytes = fileBytes;
    this.#extent = extent;
    this.#compression = compression;
    this.#pageBytes = pageBytes;
    this.#mostBytes = mostBytes;
  }

  /**
   * The pages in blocks of whole pages; each block is valid until the next is requested.
   * Throws TraceFileError if the file does not have the pages where its table says.
   * @param step where to begin, one of `steps`
   * @param into used for uncompressed blocks, if it has their size
   */
  async *blocks(blockBytes?: number, step = 0, into?: Buffer): AsyncGenerator<Uint8Array, void, undefined> {
    const { offset, bytes } = this.#extent;
    const { size } = await this.#file.stat();
    if (offset + bytes > size) {
      throw new TraceFileError(`pages at ${offset} to ${offset + bytes} of ${size} bytes`);
    }
    if (this.#compression === 'none') {
      const skippedBytes = Math.min(bytes, step * this.#pageBytes);
      yield* blocksOf(this.#file, offset + skippedBytes, bytes - skippedBytes, blockBytes, into);
      return;
    }
    if (bytes === 0) return;
    const end = Math.min(size, offset + chunkCountBytes + bytes);
    const reader = ByteReader.ofFile(this.#file.fd, offset, end);
    const chunks = reader.u32();
    if (step > 0) reader.position = this.#chunkOffsets()[step] ?? end;
    for (let index = step; index < chunks; index++) yield this.#chunkAt(reader);
  }

  /**
   * The places to begin at: each page or, in compressed data, each chunk up to the first one that does not fit in the
   * file. Blocks. `read` throws TraceFileError for a chunk that cannot be decompressed.
   */
  steps(): CpuSteps {
    const { fd } = this.#file;
    const { offset, bytes } = this.#extent;
    const pageBytes = this.#pageBytes;
    if (this.#compression === 'none') {
      const end = Math.min(this.#fileBytes, offset + bytes);
      return {
        count: Math.max(0, Math.floor((end - offset) / pageBytes)),
        read: (step) => {
          const at = offset + step * pageBytes;
          return readPart(fd, at, Math.max(0, Math.min(2 * pageBytes, end - at)));
        },
      };
    }
    const chunks = this.#chunkOffsets();
    return {
      count: chunks.length,
      // a ByteReader reads ahead until its end, so it ends at the next chunk
      read: (step) =>
        this.#chunkAt(ByteReader.ofFile(fd, chunks[step]!, chunks[step + 1] ?? this.#fileBytes)),
    };
  }

  #chunkAt(reader: ByteReader): Uint8Array {
    const frameBytes = reader.u32();
    const chunkBytes = reader.u32();
    const isWhole = chunkBytes % this.#pageBytes === 0;
    if (frameBytes > maxChunkBytes || chunkBytes > this.#mostBytes || !isWhole) {
      throw new TraceFileError(`a chunk of ${chunkBytes} bytes in ${frameBytes} at ${reader.position}`);
    }
    const chunk = zstdDecompress(reader.bytes(frameBytes), chunkBytes);
    if (chunk === undefined)
      throw new TraceFileError(`the chunk before ${reader.position} cannot be decompressed`);
    return chunk;
  }

  #chunkOffsets(): readonly number[] {
    const { offset, bytes } = this.#extent;
    const end = Math.min(this.#fileBytes, offset + chunkCountBytes + bytes);
    return (this.#offsets ??= chunkOffsets(this.#file.fd, offset, end, this.#pageBytes));
  }
}

/** Reads the lengths only: a reader with a window would also read everything between them. */
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
