import { closeSync } from 'node:fs';
import { errno, NativeError } from '../../native/error.ts';
import { POLLOUT } from '../../native/wait/poll.ts';
import { write } from '../../native/io/transfer.ts';
import { Waiter } from '../../native/wait/waiter.ts';

/** Timeout of a poll; an unfinished poll delays the end of this process by up to this time. */
const pollMs = 200;

/**
 * Writes the supervisor's own data to a shared outlet. The caller makes sure that nothing else writes to it
 * meanwhile.
 */
export class OutletWriter {
  readonly #fd: number;
  readonly #waiter = new Waiter();
  #closed = false;

  /** @param fd non-blocking where possible; this writer owns it */
  constructor(fd: number) {
    this.#fd = fd;
  }

  /**
   * Writes all bytes, and waits for the reader.
   * @param patienceMs how long the reader may stall
   * @throws NativeError e.g. EPIPE or ENOSPC; ETIMEDOUT when the reader stalled for that long, or the writer was
   * closed
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

  /** Aborts the current write; the descriptor stays open until the process ends. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#waiter.wake();
    closeSync(this.#fd);
  }
}
