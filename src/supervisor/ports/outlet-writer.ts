import { closeSync } from 'node:fs';
import { errno, NativeError } from '../../native/error.ts';
import { POLLOUT } from '../../native/wait/poll.ts';
import { write } from '../../native/io/transfer.ts';
import { Waiter } from '../../native/wait/waiter.ts';

/** A poll that nobody wakes holds up the end of this process as long. */
const pollMs = 200;

/** Writes what is the supervisor's own to a shared outlet. Nothing else writes to it meanwhile: that is the caller's affair. */
export class OutletWriter {
  readonly #fd: number;
  readonly #waiter = new Waiter();
  #closed = false;

  /** @param fd non-blocking where it can be; this writer owns it */
  constructor(fd: number) {
    this.#fd = fd;
  }

  /**
   * Writes all of the bytes, and waits for whoever reads them.
   * @param patienceMs how long it may take nothing
   * @throws NativeError e.g. EPIPE or ENOSPC; ETIMEDOUT when it took nothing for that long, or the writer was closed
   */
  async write(bytes: Uint8Array, patienceMs: number): Promise<void> {
    let movedMs = performance.now();
    for (let done = 0; done < bytes.byteLength; ) {
      if (this.#closed) throw new NativeError('write', errno.ETIMEDOUT);
      const put = write(this.#fd, bytes.subarray(done));
      if (put > 0) {
        done += put;
        movedMs = performance.now();
        continue;
      }
      if (put !== -errno.EAGAIN && put !== -errno.EINTR && put !== 0) throw new NativeError('write', -put);
      if (performance.now() - movedMs >= patienceMs) throw new NativeError('write', errno.ETIMEDOUT);
      await this.#waiter.ready(this.#fd, POLLOUT, pollMs);
    }
  }

  /** Ends what is being written; the descriptor is the process's end's to close then. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#waiter.wake();
    closeSync(this.#fd);
  }
}
