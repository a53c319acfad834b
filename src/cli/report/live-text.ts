import type { WriteStream } from 'node:tty';

/** Text for people on stderr: lines that stay, and below them, on a terminal, lines that are drawn again and again. */
export class LiveText {
  readonly #out: WriteStream;
  #drawnLines = 0;

  constructor(out: WriteStream) {
    this.#out = out;
  }

  /** Whether `draw` shows anything. */
  get redraws(): boolean {
    return this.#out.isTTY;
  }

  /** Of the terminal. */
  get rows(): number {
    return this.#out.rows;
  }

  /** Replaces what was drawn last; nothing where the output is no terminal. */
  draw(lines: readonly string[]): void {
    if (!this.redraws || (lines.length === 0 && this.#drawnLines === 0)) return;
    const up = this.#drawnLines > 0 ? `\x1b[${this.#drawnLines}A\x1b[J` : '';
    this.#out.write(`${up}${lines.map((line) => `${line.slice(0, this.#out.columns)}\n`).join('')}`);
    this.#drawnLines = lines.length;
  }

  /** Something to say that stays; what is drawn afterwards comes below it. */
  say(text: string): void {
    this.draw([]);
    this.#out.write(`${text}\n`);
  }
}
