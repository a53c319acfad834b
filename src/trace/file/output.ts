import type { FileHandle } from 'node:fs/promises';
import { copyRange } from '../../native/io/copy-range.ts';

/** Bytes per copy by the kernel, which blocks the thread; small enough to keep each pause short. */
const copyBytes = 16 << 20;
/** Bytes per read and write where the kernel cannot copy. */
const bufferBytes = 1 << 20;

/** A file that is written sequentially, with some fields filled in later. */
export class Output {
  readonly #file: FileHandle;
  #offset = 0;
  #kernelCopies = true;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  /** Offset of the next appended byte. */
  get offset(): number {
    return this.#offset;
  }

  async append(bytes: Uint8Array): Promise<void> {
    const at = this.#offset;
    this.#offset += bytes.length;
    await this.writeAt(at, bytes);
  }

  /** Appends zeros up to a multiple of `bytes`. */
  async align(bytes: number): Promise<void> {
    const over = this.#offset % bytes;
    if (over > 0) await this.append(new Uint8Array(bytes - over));
  }

  /** Overwrites bytes at `offset`. */
  async writeAt(offset: number, bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await this.#file.write(bytes, done, bytes.length - done, offset + done);
      done += bytesWritten;
    }
  }

  /**
   * Appends a part of another file, copied inside the kernel if possible. Returns the number of bytes appended: fewer
   * than requested if the other file has shrunk.
   */
  async appendRange(from: FileHandle, fromOffset: number, bytes: number): Promise<number> {
    let done = 0;
    while (done < bytes) {
      const part = Math.min(copyBytes, bytes - done);
      const copied = this.#kernelCopies
        ? await copyRange(from.fd, fromOffset + done, this.#file.fd, this.#offset, part)
        : await this.#copyBuffered(from, fromOffset + done, part);
      if (copied === undefined) {
        this.#kernelCopies = false;
        continue;
      }
      if (copied === 0) break;
      done += copied;
      this.#offset += copied;
    }
    return done;
  }

  async #copyBuffered(from: FileHandle, fromOffset: number, bytes: number): Promise<number> {
    const buffer = Buffer.allocUnsafe(Math.min(bufferBytes, bytes));
    const { bytesRead } = await from.read(buffer, 0, buffer.length, fromOffset);
    await this.writeAt(this.#offset, buffer.subarray(0, bytesRead));
    return bytesRead;
  }
}
