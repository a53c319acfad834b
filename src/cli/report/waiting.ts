import { humanDuration } from './human.ts';
import type { LiveText } from './live-text.ts';

const tickMs = 500;
/** Lines are said this far apart where they cannot be redrawn. */
const lineMs = 5000;

/** Says what is waited for and since when, so that a slow guest or disk does not look like a program that hangs. */
export class Waiting {
  readonly #live: LiveText;
  readonly #describe: () => string | undefined;
  readonly #ticker: NodeJS.Timeout;
  #fromMs: number | undefined;
  #saidMs = 0;

  /** @param describe what is waited for; undefined while nothing is. Called until `stop` */
  constructor(live: LiveText, describe: () => string | undefined) {
    this.#live = live;
    this.#describe = describe;
    this.#ticker = setInterval(() => this.#tick(), tickMs);
  }

  /** Takes away what was drawn. */
  stop(): void {
    clearInterval(this.#ticker);
    if (this.#fromMs !== undefined) this.#live.draw([]);
  }

  #tick(): void {
    const text = this.#describe();
    const nowMs = performance.now();
    if (text === undefined) {
      this.#fromMs = undefined;
      return;
    }
    if (this.#fromMs === undefined) {
      this.#fromMs = nowMs;
      this.#saidMs = nowMs;
      return;
    }
    const line = `${text} (${humanDuration(nowMs - this.#fromMs)})`;
    if (this.#live.redraws) this.#live.draw([line]);
    else if (nowMs - this.#saidMs >= lineMs) {
      this.#saidMs = nowMs;
      this.#live.say(line);
    }
  }
}
