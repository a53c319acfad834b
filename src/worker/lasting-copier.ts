import { errno } from '../native/error.ts';

/** The system calls on the pipe and the outlet. Each returns the number of bytes, or the negated errno. */
export interface CopyCalls {
  /** Copies as much of the pipe's content as fits into the buffer, without consuming it. */
  peek(buffer: Uint8Array): number;
  /** Writes to the outlet. */
  write(bytes: Uint8Array): number;
  /** Consumes as many bytes of the pipe as the buffer holds. */
  take(buffer: Uint8Array): number;
}

/**
 * Moves pages through a buffer. A page stays in the pipe until it has been written to the outlet: if the worker dies
 * before that, its successor writes the page again. The reader of frames recognises duplicates by their position.
 * @returns a function that moves a page, or less
 */
export function lastingCopier(pageBytes: number, calls: CopyCalls): () => number {
  const page = new Uint8Array(pageBytes);
  return () => {
    const seen = calls.peek(page);
    if (seen <= 0) return seen;
    const bytes = page.subarray(0, seen);
    const refused = writeWhole(bytes, (rest) => calls.write(rest));
    return refused < 0 ? refused : calls.take(bytes);
  };
}

/** Calls `write` until all bytes are written. @returns 0, or the negated errno */
export function writeWhole(bytes: Uint8Array, write: (bytes: Uint8Array) => number): number {
  for (let done = 0; done < bytes.byteLength; ) {
    const put = write(bytes.subarray(done));
    if (put === -errno.EINTR) continue;
    if (put < 0) return put;
    done += put;
  }
  return 0;
}
