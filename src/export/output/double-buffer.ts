import { ByteBuffer } from '../../base/byte-buffer.ts';
import type { ByteSink } from './byte-sink.ts';

/** Bytes per write. */
const writeBytes = 1 << 20;

/** Double buffering for a sink: one buffer is written by other threads while the other one fills. */
export class DoubleBuffer {
  /** Append here. Changes with each `flush`. */
  buffer = new ByteBuffer();
  readonly #sink: ByteSink;
  #other = new ByteBuffer();
  #writing: Promise<void> | undefined;

  constructor(sink: ByteSink) {
    this.#sink = sink;
  }

  get isFull(): boolean {
    return this.buffer.length >= writeBytes;
  }

  /** Waits for the previous write, then starts to write the buffer. Throws errors of the sink. */
  async flush(): Promise<void> {
    await this.#writing;
    const full = this.buffer;
    this.#other.clear();
    this.buffer = this.#other;
    this.#other = full;
    this.#writing = this.#sink.write(full.view());
    // awaited later; until then, an error must not count as unhandled
    this.#writing.catch(() => undefined);
  }

  /** Writes the rest and waits. Throws errors of the sink. */
  async end(): Promise<void> {
    await this.flush();
    await this.#writing;
  }
}
