import { readSync } from 'node:fs';

/** The file is not as the format says; the message tells where. */
export class TraceFileError extends Error {}

/** At most this much is taken at once: a length in a file is anybody's claim. */
const maxPieceBytes = 64 << 20;
const maxStringBytes = 64 << 10;
const windowBytes = 64 << 10;

/** Reads little-endian values one after another, from a file or from memory, never beyond the end. Blocks. */
export class ByteReader {
  position: number;
  readonly #fd: number;
  readonly #end: number;
  /** The bytes at hand, and where they start. */
  #window: Buffer;
  #windowAt: number;

  private constructor(fd: number, window: Buffer, position: number, end: number) {
    this.#fd = fd;
    this.#window = window;
    this.#windowAt = 0;
    this.position = position;
    this.#end = end;
  }

  /** `end`: bytes of the file. Throws TraceFileError when it is before `position`. */
  static ofFile(fd: number, position: number, end: number): ByteReader {
    if (position > end) throw new TraceFileError(`${position} is behind its ${end} bytes`);
    return new ByteReader(fd, Buffer.alloc(0), position, end);
  }

  static ofMemory(bytes: Uint8Array): ByteReader {
    const window = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return new ByteReader(-1, window, 0, window.length);
  }

  /** The next bytes; a view that is good until the next read. */
  bytes(count: number): Buffer {
    if (count > maxPieceBytes) throw new TraceFileError(`a piece of ${count} bytes at ${this.position}`);
    this.#need(count);
    const at = this.position - this.#windowAt;
    this.position += count;
    return this.#window.subarray(at, at + count);
  }

  skip(count: number): void {
    if (count > this.#end - this.position) throw this.#ended(count);
    this.position += count;
  }

  u8(): number {
    return this.bytes(1).readUInt8();
  }

  u16(): number {
    return this.bytes(2).readUInt16LE();
  }

  u32(): number {
    return this.bytes(4).readUInt32LE();
  }

  u64(): bigint {
    return this.bytes(8).readBigUInt64LE();
  }

  /** A length or an offset of 64 bits. */
  size(): number {
    const value = this.u64();
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new TraceFileError(`a size of ${value}`);
    return Number(value);
  }

  /** Text up to its NUL, which is passed over. */
  string(): string {
    const start = this.position;
    const longest = Math.min(maxStringBytes, this.#end - start);
    this.#need(longest);
    const at = start - this.#windowAt;
    const nul = this.#window.subarray(at, at + longest).indexOf(0);
    if (nul < 0) throw new TraceFileError(`a text without an end at ${start}`);
    this.position = start + nul + 1;
    return this.#window.toString('latin1', at, at + nul);
  }

  #ended(count: number): TraceFileError {
    return new TraceFileError(`it ends before ${count} bytes at ${this.position}`);
  }

  /** Brings the next `count` bytes into the window. */
  #need(count: number): void {
    const { position } = this;
    if (position < 0 || count > this.#end - position) throw this.#ended(count);
    if (position >= this.#windowAt && position + count <= this.#windowAt + this.#window.length) return;
    const window = Buffer.alloc(Math.min(Math.max(count, windowBytes), this.#end - position));
    for (let filled = 0; filled < window.length; ) {
      const got = readSync(this.#fd, window, filled, window.length - filled, position + filled);
      if (got === 0) throw this.#ended(count);
      filled += got;
    }
    this.#window = window;
    this.#windowAt = position;
  }
}
