import type { FileHandle } from 'node:fs/promises';
import { copyRange } from '../../native/io/copy-range.ts';

/** Copied at once by the kernel: a pause in which nothing else can be done with the thread, and no more than that. */
const copyBytes = 16 << 20;
/** Copied at once by hand, where the kernel does not. */
const bufferBytes = 1 << 20;

/** A file that is written from front to end, with places in it filled in later. */
export class Output {
  readonly #file: FileHandle;
  #offset = 0;
  #kernelCopies = true;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  /** Where the next byte goes. */
  get offset(): number {
    return this.#offset;
  }

  async append(bytes: Uint8Array): Promise<void> {
    const at = this.#offset;
    this.#offset += bytes.length;
    await this.writeAt(at, bytes);
  }

  /** Zeros up to a multiple of `bytes`. */
  async align(bytes: number): Promise<void> {
    const over = this.#offset % bytes;
    if (over > 0) await this.append(new Uint8Array(bytes - over));
  }

  /** Writes over what is there. */
  async writeAt(offset: number, bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await this.#file.write(bytes, done, bytes.length - done, offset + done);
      done += bytesWritten;
    }
  }

  /**
   * Appends a part of another file, by the kernel alone where it can. Returns the bytes that were there: fewer than
   * asked for when the other file has become shorter.
   */
  async appendRange(from: FileHandle, fromOffset: number, bytes: number): Promise<number> {
    let done = 0;
    while (done < bytes) {
      const part = Math.min(copyBytes, bytes - done);
      const copied = this.#kernelCopies
        ? await copyRange(from.fd, fromOffset + done, this.#file.fd, this.#offset, part)
        : await this.#copyByHand(from, fromOffset + done, part);
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

  async #copyByHand(from: FileHandle, fromOffset: number, bytes: number): Promise<number> {
    const buffer = Buffer.allocUnsafe(Math.min(bufferBytes, bytes));
    const { bytesRead } = await from.read(buffer, 0, buffer.length, fromOffset);
    await this.writeAt(this.#offset, buffer.subarray(0, bytesRead));
    return bytesRead;
  }
}
