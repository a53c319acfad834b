import type { FrameHeaders } from './frame-headers.ts';
import type { Outlet } from './outlet.ts';

/** Another worker writes to the shared outlet at this moment. No errno is that large. */
export const anothersTurn = -1_000_000;

/** What a shared outlet does to the descriptors that its worker is lent. */
export interface OutletCalls {
  /** @returns false: another worker has the turn */
  tryLock(): boolean;
  unlock(): void;
  /** Moves up to `bytes` from the pipe to the outlet. @returns bytes moved, or the negated errno */
  transfer(bytes: number): number;
}

/**
 * An outlet that all workers share. A turn is kept until the outlet stands at a page boundary, so that no page is
 * torn: the kernel reads a file's position before a splice and sets it behind, and two at once would overwrite one
 * another. The lock is the process's, so a worker that dies gives it back.
 *
 * With headers a turn is a frame, all that the pipe held: a header, then the bytes. One that is cut short by its worker's
 * death is followed by another header, and the successor begins a frame of its own for what is left, so that it needs to
 * know nothing of its predecessor's.
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

  /** Only whole pages go into the pipe, so what is left of them tells, also to the successor of a killed worker. */
  #mayEnd(bytesLeft: number): boolean {
    if (this.#headers === undefined) return bytesLeft % this.#pageBytes === 0;
    return bytesLeft === 0 || !this.#headers.begun;
  }
}
