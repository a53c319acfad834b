import { errno } from '../native/error.ts';
import { encodeFrameHeader, frameHeaderSize, frameKinds } from '../protocol/frames.ts';
import type { Ledger } from '../protocol/ledger.ts';

/** Writes the headers of one CPU's frames to the outlet. */
export class FrameHeaders {
  readonly #sync: Uint8Array;
  readonly #cpu: number;
  readonly #ledger: Pick<Ledger, 'bytesOut' | 'bytesLost'>;
  readonly #write: (bytes: Uint8Array) => number;
  #header: Uint8Array = new Uint8Array(frameHeaderSize);
  #out = 0;

  /** @param write writes to the outlet; returns bytes written, or the negated errno */
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

  /** Whether a byte of the header was written. If so, this frame must be completed before another begins. */
  get begun(): boolean {
    return this.#out > 0;
  }

  /** Prepares the header of a frame that will contain everything in the pipe. */
  begin(bytes: number): void {
    // All bytes that left the pipe before are either in the stream, before this frame, or lost.
    const position = this.#ledger.bytesOut + this.#ledger.bytesLost;
    this.#header = encodeFrameHeader(this.#sync, {
      kind: frameKinds.pages,
      cpu: this.#cpu,
      bytes,
      position,
    });
    this.#out = 0;
  }

  /** Writes the rest of the header. @returns 0 when it is complete, or the negated errno */
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
