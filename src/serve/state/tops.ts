import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Logger } from 'pino';
import { Backoff } from '../../base/backoff.ts';
import { type Children, lastMessage, startChild } from './child.ts';
import type { Guests } from './guests.ts';
import { sections } from './record-arguments.ts';

/** The name of the host among those of guests. */
export const hostName = 'host';
const maxFrameBytes = 1 << 20;
/** How long `top` goes on when nobody looks any more, so that a page that is loaded again does not start it again. */
const lingerMs = 3000;

type Taker = (frame: string) => void;

interface Top {
  readonly takers: Set<Taker>;
  readonly backoff: Backoff;
  child: ChildProcess | undefined;
  timer: NodeJS.Timeout | undefined;
  isEnding: boolean;
  ended: Promise<void>;
}

/** Live figures: a `trace-host top` for each machine that somebody looks at, unless a job records it. */
export class Tops {
  readonly #children: Children;
  readonly #guests: Guests;
  readonly #log: Logger;
  readonly #tops = new Map<string, Top>();
  #isClosing = false;

  constructor(children: Children, guests: Guests, log: Logger) {
    this.#children = children;
    this.#guests = guests;
    this.#log = log;
  }

  /** Gives frames, one line of JSON each, until the returned function is called. */
  look(name: string, taker: Taker): () => void {
    let top = this.#tops.get(name);
    if (top === undefined) {
      top = {
        takers: new Set(),
        backoff: new Backoff(1000, 30_000),
        child: undefined,
        timer: undefined,
        isEnding: false,
        ended: Promise.resolve(),
      };
      this.#tops.set(name, top);
    }
    const { takers } = top;
    takers.add(taker);
    this.#start(name, top);
    return () => {
      takers.delete(taker);
      if (takers.size > 0) return;
      setTimeout(() => {
        if (takers.size === 0) void this.release(name);
      }, lingerMs).unref();
    };
  }

  /** Ends the `top` of a machine in order, so that a job can record it; goes on when that has ended. */
  async release(name: string): Promise<void> {
    const top = this.#tops.get(name);
    if (top === undefined) return;
    clearTimeout(top.timer);
    top.isEnding = true;
    top.child?.kill('SIGINT');
    await top.ended;
    top.isEnding = false;
    if (top.takers.size === 0) this.#tops.delete(name);
    else this.#later(name, top, 1000);
  }

  /** The machine's `top` uses its control port. */
  uses(name: string): boolean {
    return this.#tops.get(name)?.child !== undefined;
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    await Promise.all([...this.#tops.keys()].map((name) => this.release(name)));
  }

  #start(name: string, top: Top): void {
    if (top.child !== undefined || top.timer !== undefined || top.isEnding || this.#isClosing) return;
    top.ended = this.#run(name, top);
  }

  #later(name: string, top: Top, waitMs: number): void {
    clearTimeout(top.timer);
    top.timer = setTimeout(() => {
      top.timer = undefined;
      if (top.takers.size > 0) this.#start(name, top);
    }, waitMs);
    top.timer.unref();
  }

  async #run(name: string, top: Top): Promise<void> {
    const isHost = name === hostName;
    const location = this.#guests.locationOf(name);
    // a job that records the machine comes first; look again when it may have ended
    if (this.#guests.jobOf(name) !== undefined || (!isHost && location === undefined)) {
      this.#later(name, top, 2000);
      return;
    }
    const where = location === undefined ? [] : [`--dir=${location.dir}`];
    const args = ['top', '--json', ...where, ...sections({ guests: isHost ? [] : [name], host: isHost })];
    const child = startChild(this.#children, args, 'pipe', 'pipe');
    top.child = child;
    const startedMs = performance.now();
    let said = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-8192);
    });
    if (child.stdout !== null)
      createInterface({ input: child.stdout }).on('line', (line) => {
        if (line.length <= maxFrameBytes && line.startsWith('{')) for (const take of top.takers) take(line);
      });
    await this.#guests.free(name);
    await new Promise<void>((resolve) => {
      child.once('close', () => resolve()).once('error', () => resolve());
    });
    top.child = undefined;
    if (top.isEnding || this.#isClosing) return;
    if (performance.now() - startedMs > 60_000) top.backoff.reset();
    top.backoff.begin();
    this.#log.debug({ machine: name, why: lastMessage(said)?.detail ?? '' }, 'top has ended');
    this.#later(name, top, top.backoff.next());
  }
}
