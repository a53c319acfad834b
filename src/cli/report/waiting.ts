import { humanDuration } from './human.ts';
import type { LiveText } from './live-text.ts';

const tickMs = 500;
/** Interval between lines if they cannot be redrawn. */
const lineMs = 5000;

/** Shows what the program is waiting for and for how long, so that a slow guest or disk does not look like a hang. */
export class Waiting {
  readonly #live: LiveText;
  readonly #describe: () => string | undefined;
  readonly #ticker: NodeJS.Timeout;
  #fromMs: number | undefined;
  #saidMs = 0;

  /** @param describe returns what the program is waiting for; undefined for nothing. Called until `stop` */
  constructor(live: LiveText, describe: () => string | undefined) {
    this.#live = live;
    this.#describe = describe;
    this.#ticker = setInterval(() => this.#tick(), tickMs);
  }

  /** Stops and erases the redrawn line. */
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
