import { type TopFrame, topLines } from './top-text.ts';

/** Width of lines that do not go to a terminal. */
const plainColumns = 120;

const keys = { q: 0x71, ctrlC: 0x03 };

/** Shows frames: in place on a terminal, otherwise one after the other. */
export class Screen {
  readonly #out = process.stdout;
  readonly #quit: () => void;
  #last: TopFrame | undefined;
  #isOpen = false;

  /** @param quit called for q and Ctrl-C */
  constructor(quit: () => void) {
    this.#quit = quit;
  }

  show(frame: TopFrame, inPlace: boolean): void {
    if (!inPlace || !this.#out.isTTY) {
      this.#out.write(`${topLines(frame, this.#out.columns ?? plainColumns).join('\n')}\n\n`);
      return;
    }
    this.#open();
    this.#last = frame;
    this.#draw();
  }

  /** Gives the terminal back as it was. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#out.off('resize', this.#draw);
    this.#out.write('\x1b[?25h\x1b[?1049l');
    if (!process.stdin.isTTY) return;
    process.stdin.off('data', this.#key);
    process.stdin.setRawMode(false);
    process.stdin.pause();
  }

  #open(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#out.write('\x1b[?1049h\x1b[?25l');
    this.#out.on('resize', this.#draw);
    if (!process.stdin.isTTY) return;
    process.stdin.setRawMode(true);
    process.stdin.on('data', this.#key);
    process.stdin.resume();
  }

  readonly #key = (bytes: Buffer): void => {
    if (bytes.includes(keys.q) || bytes.includes(keys.ctrlC)) this.#quit();
  };

  readonly #draw = (): void => {
    if (this.#last === undefined) return;
    const lines = topLines(this.#last, this.#out.columns, Math.max(1, this.#out.rows - 1));
    this.#out.write(`\x1b[H${lines.map((line) => `${line}\x1b[K\n`).join('')}\x1b[J`);
  };
}
