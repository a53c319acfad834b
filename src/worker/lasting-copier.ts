import { errno } from '../native/error.ts';

/** What it does to pipe and outlet; each gives bytes, or the negated errno. */
export interface CopyCalls {
  /** Copies what the pipe holds into the buffer, as much as it takes, and leaves it in the pipe. */
  peek(buffer: Uint8Array): number;
  /** Into the outlet. */
  write(bytes: Uint8Array): number;
  /** Takes as many bytes as the buffer has out of the pipe. */
  take(buffer: Uint8Array): number;
}

/**
 * Moves pages through a buffer, and out of the pipe only when they are in the outlet: a worker that dies in between has them
 * written once more by its successor. The reader of frames knows them for the same by their position.
 * @returns moves a page, or less
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

/** @returns 0, or the negated errno */
export function writeWhole(bytes: Uint8Array, write: (bytes: Uint8Array) => number): number {
  for (let done = 0; done < bytes.byteLength; ) {
    const put = write(bytes.subarray(done));
    if (put === -errno.EINTR) continue;
    if (put < 0) return put;
    done += put;
  }
  return 0;
}
