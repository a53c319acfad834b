/** Maximum size of an answer's line, without the newline. The status of a thousand CPUs takes a quarter of it. */
export const maxAnswerBytes = 1024 * 1024;

const newline = 0x0a;

export interface AnswerSink {
  /**
   * Receives a line without its newline; blank lines are skipped. The buffer is reused: do not keep it.
   * @returns the number of payload bytes that follow the line
   */
  readonly line: (line: Buffer) => number;
  /** Receives a part of the payload. The buffer is reused: do not keep it. */
  readonly payload: (piece: Buffer) => void;
}

/**
 * Splits the bytes from a guest into lines and payloads; chunk boundaries do not matter. Buffers at most one line
 * of maximum size; a longer line is discarded up to its newline. Never throws, never waits.
 */
export class AnswerReader {
  readonly #sink: AnswerSink;
  #pieces: Buffer[] = [];
  #pendingBytes = 0;
  #payloadBytes = 0;
  #discarding = false;

  constructor(sink: AnswerSink) {
    this.#sink = sink;
  }

  push(chunk: Buffer): void {
    for (let from = 0; from < chunk.length; ) from += this.#take(from === 0 ? chunk : chunk.subarray(from));
  }

  /** @returns the number of bytes consumed */
  #take(bytes: Buffer): number {
    if (this.#payloadBytes > 0) {
      const piece = bytes.subarray(0, this.#payloadBytes);
      this.#payloadBytes -= piece.length;
      this.#sink.payload(piece);
      return piece.length;
    }
    const end = bytes.indexOf(newline);
    if (end === -1) {
      this.#keep(bytes);
      return bytes.length;
    }
    this.#keep(bytes.subarray(0, end));
    this.#endLine();
    return end + 1;
  }

  #keep(piece: Buffer): void {
    if (this.#discarding || piece.length === 0) return;
    if (this.#pendingBytes + piece.length > maxAnswerBytes) {
      this.#discarding = true;
      this.#pieces = [];
      this.#pendingBytes = 0;
      return;
    }
    // a copy, because the caller reuses the chunk
    this.#pieces.push(Buffer.from(piece));
    this.#pendingBytes += piece.length;
  }

  #endLine(): void {
    const line = Buffer.concat(this.#pieces, this.#pendingBytes);
    this.#pieces = [];
    this.#pendingBytes = 0;
    this.#discarding = false;
    if (line.length > 0) this.#payloadBytes = this.#sink.line(line);
  }
}
