import type { FrameHeaders } from './frame-headers.ts';
import type { Outlet } from './outlet.ts';

/** Returned by `push` while another worker is writing to the shared outlet. No errno is that large. */
export const anothersTurn = -1_000_000;

/** What a shared outlet does with its worker's descriptors. */
export interface OutletCalls {
  /** @returns false if another worker holds the lock */
  tryLock(): boolean;
  unlock(): void;
  /** Moves up to `bytes` from the pipe to the outlet. @returns bytes moved, or the negated errno */
  transfer(bytes: number): number;
}

/**
 * An outlet that all workers share. A worker keeps its turn until the outlet is at a page boundary, so that no page is
 * torn: the kernel reads a file's position before a splice and sets it afterwards, so two splices at once would
 * overwrite each other. The lock belongs to the process, so the kernel releases it when a worker dies.
 *
 * With headers, each turn writes one frame: a header, then all bytes in the pipe. If a worker dies within a frame, its
 * successor starts a new frame, with a header of its own, for the remaining bytes. It need not know the old frame.
 */
export class SharedOutlet implements Outlet {
  readonly #calls: OutletCalls;
  readonly #pageBytes: number;
  readonly #headers: FrameHeaders | undefined;
  #ours = false;

  constructor(calls: OutletCalls, pageBytes: number, headers?: FrameHeaders) {
    this.#calls = calls;
    this.#pageBytes = pageBytes;
    this.#headers = headers;
  }

  push(bytes: number): number {
    if (!this.#ours) {
      if (!this.#calls.tryLock()) return anothersTurn;
      this.#ours = true;
      this.#headers?.begin(bytes);
    }
    const refused = this.#headers?.write() ?? 0;
    const moved = refused < 0 ? refused : this.#calls.transfer(bytes);
    if (this.#mayEnd(bytes - Math.max(moved, 0))) {
      this.#calls.unlock();
      this.#ours = false;
    }
    return moved;
  }

  /**
   * Whether the turn may end; without headers only at the end of a page. The number of bytes left in the pipe shows
   * where a page ends, even to the successor of a killed worker, because only whole pages go into the pipe.
   */
  #mayEnd(bytesLeft: number): boolean {
    if (this.#headers === undefined) return bytesLeft % this.#pageBytes === 0;
    return bytesLeft === 0 || !this.#headers.begun;
  }
}
