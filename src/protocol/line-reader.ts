/** A line of the control port, trimmed. */
export type Line =
  | { readonly kind: 'text'; readonly text: string }
  /** A line longer than the limit, which is discarded up to its newline; `head` is its beginning. */
  | { readonly kind: 'too-long'; readonly head: string };

/** Maximum length of a line, without the newline. */
export const maxLineBytes = 256 * 1024;

/** Limit for a sequence of `1` and `0` without newlines, in which each digit is an order. */
const maxBareOrders = 64 * 1024;
const headBytes = 64;
const newline = 0x0a;

/** What the unfinished line contains so far: whitespace, bare orders with whitespace around them, or anything else. */
type Shape = 'blank' | 'bare' | 'bare-ended' | 'other';

/**
 * Splits the control port's byte stream into lines; chunk boundaries do not matter. Buffers at most one line of
 * maximum length. Invalid UTF-8 becomes U+FFFD. Never throws and never waits; the caller measures the silence.
 */
export class LineReader {
  readonly #pending = Buffer.allocUnsafe(maxLineBytes);
  #pendingBytes = 0;
  #shape: Shape = 'blank';
  #discarding = false;

  /** The lines that these bytes complete, in order. `chunk` may be reused afterwards. */
  push(chunk: Uint8Array): Line[] {
    const lines: Line[] = [];
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let from = 0;
    while (from < bytes.length) {
      const end = bytes[from] === newline ? from : bytes.indexOf(newline, from);
      if (end !== from) this.#take(bytes.subarray(from, end === -1 ? bytes.length : end), lines);
      if (end === -1) break;
      this.#endLine(lines);
      from = end + 1;
    }
    return lines;
  }

  /**
   * Whether the unfinished line is `1` or `0` (or several), as `printf 1` sends it. After a short silence, the
   * caller takes it as an order by calling `flushSilence`.
   */
  get pendingIsBareOrder(): boolean {
    return !this.#discarding && (this.#shape === 'bare' || this.#shape === 'bare-ended');
  }

  /**
   * Call this after a short silence. Returns pending bare orders as lines; any other unfinished line stays pending
   * until its newline arrives.
   */
  flushSilence(): Line[] {
    const lines: Line[] = [];
    if (this.pendingIsBareOrder) this.#endLine(lines);
    return lines;
  }

  #take(piece: Buffer, lines: Line[]): void {
    if (this.#discarding) return;
    if (this.#pendingBytes + piece.length > maxLineBytes) {
      const seen = Math.min(this.#pendingBytes, headBytes);
      piece.copy(this.#pending, seen, 0, headBytes - seen);
      lines.push({ kind: 'too-long', head: this.#pending.toString('utf8', 0, headBytes).trim() });
      this.#discarding = true;
      this.#pendingBytes = 0;
      return;
    }
    piece.copy(this.#pending, this.#pendingBytes);
    this.#pendingBytes += piece.length;
    this.#shape = shapeAfter(this.#shape, piece);
  }

  #endLine(lines: Line[]): void {
    if (!this.#discarding && this.#shape !== 'blank') {
      const text = this.#pending.toString('utf8', 0, this.#pendingBytes).trim();
      if (this.#shape === 'other') lines.push({ kind: 'text', text });
      else if (text.length > maxBareOrders) lines.push({ kind: 'too-long', head: text.slice(0, headBytes) });
      // `printf 1; printf 0` may arrive as one sequence
      else for (const digit of text) lines.push({ kind: 'text', text: digit });
    }
    this.#pendingBytes = 0;
    this.#shape = 'blank';
    this.#discarding = false;
  }
}

function shapeAfter(before: Shape, piece: Buffer): Shape {
  let shape = before;
  for (const byte of piece) {
    if (shape === 'other') return shape;
    if (isBlank(byte)) {
      if (shape === 'bare') shape = 'bare-ended';
    } else if (byte === 0x30 || byte === 0x31) {
      shape = shape === 'bare-ended' ? 'other' : 'bare';
    } else {
      shape = 'other';
    }
  }
  return shape;
}

/** Space, tab, carriage return, vertical tab, form feed: the ASCII characters that String.prototype.trim removes. */
function isBlank(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
}
