import { constants } from 'node:fs';
import { checked, declare } from '../libc.ts';
import { read, write } from '../io/transfer.ts';

const libcEventfd = declare('int eventfd(unsigned int initial, int flags)');
const O_CLOEXEC = 0o2000000;

/** A descriptor that one part of this process signals to wake a poll in another part. */
export class Eventfd {
  readonly fd: number;
  readonly #one = new BigUint64Array([1n]);
  readonly #sink = new Uint8Array(8);

  constructor() {
    this.fd = checked('eventfd', libcEventfd(0, constants.O_NONBLOCK | O_CLOEXEC));
  }

  /** Makes the descriptor readable; several signals count as one. */
  signal(): void {
    write(this.fd, new Uint8Array(this.#one.buffer));
  }

  /** Clears the signals. */
  clear(): void {
    read(this.fd, this.#sink);
  }
}
