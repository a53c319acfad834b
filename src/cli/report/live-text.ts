import type { WriteStream } from 'node:tty';

/** Output on stderr: permanent lines and, on a terminal, lines below them that are redrawn in place. */
export class LiveText {
  readonly #out: WriteStream;
  #drawnLines = 0;

  constructor(out: WriteStream) {
    this.#out = out;
  }

  /** True if the output is a terminal; otherwise `draw` does nothing. */
  get redraws(): boolean {
    return this.#out.isTTY;
  }

  /** Height of the terminal. */
  get rows(): number {
    return this.#out.rows;
  }

  /** Replaces the redrawn lines; does nothing if the output is not a terminal. */
  draw(lines: readonly string[]): void {
    if (!this.redraws || (lines.length === 0 && this.#drawnLines === 0)) return;
    const up = this.#drawnLines > 0 ? `\x1b[${this.#drawnLines}A\x1b[J` : '';
    this.#out.write(`${up}${lines.map((line) => `${line.slice(0, this.#out.columns)}\n`).join('')}`);
    this.#drawnLines = lines.length;
  }

  /** Prints a permanent line; later redrawn lines come below it. */
  say(text: string): void {
    this.draw([]);
    this.#out.write(`${text}\n`);
  }
}
