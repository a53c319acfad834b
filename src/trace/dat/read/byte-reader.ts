import { readSync } from 'node:fs';

/** The file violates the format; the message says where. */
export class TraceFileError extends Error {
  /** `other`: not a trace.dat at all; `unsupported`: a trace.dat that only trace-cmd can read. */
  readonly kind: 'damaged' | 'unsupported' | 'other';

  constructor(message: string, kind: TraceFileError['kind'] = 'damaged') {
    super(message);
    this.kind = kind;
  }
}

/** Limit per read: a length in a file is untrusted. */
const maxPieceBytes = 64 << 20;
const maxStringBytes = 64 << 10;
const windowBytes = 64 << 10;

/** Reads little-endian values in sequence from a file or from memory, never beyond the end. Blocks. */
export class ByteReader {
  position: number;
  readonly #fd: number;
  readonly #end: number;
  /** The buffered bytes, and their offset. */
  #window: Buffer;
  #windowAt: number;

  private constructor(fd: number, window: Buffer, position: number, end: number) {
    this.#fd = fd;
    this.#window = window;
    this.#windowAt = 0;
    this.position = position;
    this.#end = end;
  }

  /** `end`: size of the file. Throws TraceFileError if `position` is beyond it. */
  static ofFile(fd: number, position: number, end: number): ByteReader {
    if (position > end) throw new TraceFileError(`offset ${position} is beyond its ${end} bytes`);
    return new ByteReader(fd, Buffer.alloc(0), position, end);
  }

  static ofMemory(bytes: Uint8Array): ByteReader {
    const window = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return new ByteReader(-1, window, 0, window.length);
  }

  /** The next bytes, as a view that is valid until the next read. */
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

  /** A 64-bit length or offset. */
  size(): number {
    const value = this.u64();
    if (value > BigInt(Number.MAX_SAFE_INTEGER))
      throw new TraceFileError(`a size of ${value} before ${this.position}`);
    return Number(value);
  }

  /** NUL-terminated text, without the NUL. */
  string(): string {
    const start = this.position;
    const longest = Math.min(maxStringBytes, this.#end - start);
    this.#need(longest);
    const at = start - this.#windowAt;
    const nul = this.#window.subarray(at, at + longest).indexOf(0);
    if (nul < 0) throw new TraceFileError(`the text at ${start} has no end`);
    this.position = start + nul + 1;
    return this.#window.toString('latin1', at, at + nul);
  }

  #ended(count: number): TraceFileError {
    return new TraceFileError(`it ends before the ${count} bytes at ${this.position}`);
  }

  /** Loads the next `count` bytes into the window. */
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
