import { closeSync, existsSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf } from '../../base/error-code.ts';
import { Failure } from '../../base/failure.ts';
import { rawFile, readRecording } from '../recording/recording-format.ts';

const maxReadBytes = 1 << 20;

/** For a reader that must stay close to the end of a recording rather than read all of it. */
export interface SkippedPages {
  /** When more bytes than this have not been read, all but the newest of them are skipped. */
  readonly mostBehind: number;
  readonly skipped: (cpu: number, bytes: number) => void;
}

/** Tells when a recording has ended: its `recording.json` says so, or its directory was removed. */
export class RecordingEnd {
  readonly #dir: string;

  constructor(dir: string) {
    this.#dir = dir;
  }

  async isReached(): Promise<boolean> {
    try {
      return (await readRecording(this.#dir)).endedAt !== null;
    } catch (error) {
      // `recording.json` may be incomplete while it is being replaced
      if (error instanceof Failure) return !existsSync(this.#dir);
      throw error;
    }
  }
}

/**
 * The pages of one CPU of a recording while it is written. Keeps the file open, so that pages can be read after the
 * recording was converted and removed. A capped recording starts a new file from time to time.
 */
export class FollowedCpu {
  readonly cpu: number;
  readonly #path: string;
  readonly #pageBytes: number;
  readonly #skipping: SkippedPages | undefined;
  #fd: number | undefined;
  #offset = 0;

  constructor(dir: string, cpu: number, pageBytes: number, skipping?: SkippedPages) {
    this.#skipping = skipping;
    this.cpu = cpu;
    this.#path = join(dir, rawFile(cpu));
    this.#pageBytes = pageBytes;
  }

  /** The next whole pages; empty if there are none yet. Valid until the next call. Blocks only for the read. */
  read(): Uint8Array {
    this.#fd ??= this.#open();
    if (this.#fd === undefined) return new Uint8Array(0);
    const pages = this.#readFrom(this.#fd);
    if (pages.length > 0 || !this.#hasNewFile(this.#fd)) return pages;
    this.close();
    this.#offset = 0;
    this.#fd = this.#open();
    return this.#fd === undefined ? pages : this.#readFrom(this.#fd);
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #open(): number | undefined {
    try {
      return openSync(this.#path, 'r');
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  #readFrom(fd: number): Uint8Array {
    let available = fstatSync(fd).size - this.#offset;
    if (this.#skipping !== undefined && available > this.#skipping.mostBehind) {
      const skipped = available - (available % this.#pageBytes) - this.#pageBytes;
      this.#offset += skipped;
      available -= skipped;
      this.#skipping.skipped(this.cpu, skipped);
    }
    const bytes = Math.min(maxReadBytes, available - (available % this.#pageBytes));
    if (bytes <= 0) return new Uint8Array(0);
    const pages = Buffer.allocUnsafe(bytes);
    let filled = 0;
    while (filled < bytes) {
      const got = readSync(fd, pages, filled, bytes - filled, this.#offset + filled);
      if (got === 0) break;
      filled += got;
    }
    this.#offset += filled;
    return pages.subarray(0, filled);
  }

  #hasNewFile(fd: number): boolean {
    try {
      return statSync(this.#path).ino !== fstatSync(fd).ino;
    } catch {
      return false;
    }
  }
}
