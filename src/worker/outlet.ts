import { errno } from '../native/error.ts';
import { tryLock, unlock } from '../native/file-lock.ts';
import { read, splice, write } from '../native/transfer.ts';
import type { Lent, Outlet as OutletKind } from '../protocol/ipc.ts';

/** Where the pipe is emptied to. */
export interface Outlet {
  /**
   * Moves up to `bytes` from the pipe on; never blocks longer than the move takes.
   * @param bytes all that the pipe holds
   * @returns bytes moved, the negated errno, or `anothersTurn`
   */
  push(bytes: number): number;
}

/** Another worker writes to the shared outlet at this moment. No errno is that large. */
export const anothersTurn = -1_000_000;

/** A virtio port or FIFO of this worker's own. */
function ownOutlet({ pipeRead, port }: Lent): Outlet {
  return { push: (bytes) => splice(pipeRead, port, bytes) };
}

/**
 * An outlet that all workers share. A turn is kept until the outlet stands at a page boundary, so that no page is
 * torn: the kernel reads a file's position before a splice and sets it behind, and two at once would overwrite one
 * another. The lock is the process's, so a worker that dies gives it back.
 */
class SharedOutlet implements Outlet {
  readonly #transfer: (bytes: number) => number;
  readonly #turn: number;
  readonly #pageBytes: number;
  #ours = false;

  constructor(transfer: (bytes: number) => number, turn: number, pageBytes: number) {
    this.#transfer = transfer;
    this.#turn = turn;
    this.#pageBytes = pageBytes;
  }

  push(bytes: number): number {
    if (!this.#ours) {
      if (!tryLock(this.#turn)) return anothersTurn;
      this.#ours = true;
    }
    const moved = this.#transfer(bytes);
    // Only whole pages go into the pipe, so what is left of them tells, also to the successor of a killed worker.
    if ((bytes - Math.max(moved, 0)) % this.#pageBytes === 0) {
      unlock(this.#turn);
      this.#ours = false;
    }
    return moved;
  }
}

/** For a file opened to append, to which splice says EINVAL: one page after the other through a buffer. */
function copier({ pipeRead, port }: Lent, pageBytes: number): (bytes: number) => number {
  const page = new Uint8Array(pageBytes);
  return () => {
    const got = read(pipeRead, page);
    for (let done = 0; done < got; ) {
      const put = write(port, page.subarray(done, got));
      if (put === -errno.EINTR) continue;
      if (put < 0) return put;
      done += put;
    }
    return got;
  };
}

export function makeOutlet(kind: OutletKind, lent: Lent, pageBytes: number): Outlet {
  const own = ownOutlet(lent);
  if (kind === 'splice') return own;
  if (lent.turn === undefined) throw new Error('a shared outlet without its turn');
  const transfer = kind === 'shared' ? (bytes: number) => own.push(bytes) : copier(lent, pageBytes);
  return new SharedOutlet(transfer, lent.turn, pageBytes);
}
