/** The newline not counted. The status of a thousand CPUs has a quarter of it. */
export const maxAnswerBytes = 1024 * 1024;

const newline = 0x0a;

export interface AnswerSink {
  /**
   * A line without its newline, blank ones left out; must not be kept.
   * @returns how many bytes that are no lines come right behind it
   */
  readonly line: (line: Buffer) => number;
  /** A piece of those bytes; must not be kept. */
  readonly payload: (piece: Buffer) => void;
}

/**
 * Cuts what a guest sends into lines and payloads, the same whatever the chunks. Holds at most one line's limit; a
 * longer line is thrown away up to its newline. Never throws, never waits.
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

  /** @returns how much of it was taken */
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
    // a copy: the chunk is its owner's again
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
