import { ByteBuffer } from './byte-buffer.ts';
import type { ByteSink } from './byte-sink.ts';

/** Bytes per write. */
const writeBytes = 1 << 20;

/** Two buffers in front of a sink: one is written, by other threads, while the next fills. */
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
    return this.buffer.at >= writeBytes;
  }

  /** Starts to write what was appended; waits for the write before that. Throws what the sink throws. */
  async flush(): Promise<void> {
    await this.#writing;
    const full = this.buffer;
    this.#other.clear();
    this.buffer = this.#other;
    this.#other = full;
    this.#writing = this.#sink.write(full.view());
    // it is awaited later; until then an error must not count as unhandled
    this.#writing.catch(() => undefined);
  }

  /** Writes everything. Throws what the sink throws. */
  async end(): Promise<void> {
    await this.flush();
    await this.#writing;
  }
}
