import { errno } from '../native/error.ts';
import { encodeFrameHeader, frameHeaderSize, frameKinds } from '../protocol/frames.ts';
import type { Ledger } from '../protocol/ledger.ts';

/** The headers of one CPU's frames, on their way into the outlet. */
export class FrameHeaders {
  readonly #sync: Uint8Array;
  readonly #cpu: number;
  readonly #ledger: Pick<Ledger, 'bytesOut' | 'bytesLost'>;
  readonly #write: (bytes: Uint8Array) => number;
  #header: Uint8Array = new Uint8Array(frameHeaderSize);
  #out = 0;

  /** @param write into the outlet; bytes written, or the negated errno */
  constructor(
    sync: Uint8Array,
    cpu: number,
    ledger: Pick<Ledger, 'bytesOut' | 'bytesLost'>,
    write: (bytes: Uint8Array) => number,
  ) {
    this.#sync = sync;
    this.#cpu = cpu;
    this.#ledger = ledger;
    this.#write = write;
  }

  /** Whether a byte of the header is in the outlet: then no other frame may begin before this one is whole. */
  get begun(): boolean {
    return this.#out > 0;
  }

  /** Makes the header of a frame of all that the pipe holds. */
  begin(bytes: number): void {
    // What left the pipe is in the stream before these, or in it no more.
    const position = this.#ledger.bytesOut + this.#ledger.bytesLost;
    this.#header = encodeFrameHeader(this.#sync, {
      kind: frameKinds.pages,
      cpu: this.#cpu,
      bytes,
      position,
    });
    this.#out = 0;
  }

  /** Writes what of the header is not out yet. @returns 0 when all of it is, or the negated errno */
  write(): number {
    while (this.#out < frameHeaderSize) {
      const put = this.#write(this.#header.subarray(this.#out));
      if (put === 0) return -errno.EAGAIN;
      if (put < 0) return put;
      this.#out += put;
    }
    return 0;
  }
}
