import type { LimitFunction } from 'p-limit';
import type { Logger } from 'pino';
import { type CrashHistory, decideRestart, defaultRestartLimits, noCrashes } from './restart-policy.ts';
import type { WorkerEnd, WorkerListener } from './worker-process.ts';

/** Looks, one a second, at a standby that does not load before it is killed: it keeps others from their turn to fork. */
const loadTicksMax = 120;

/** What a standby needs of a worker's process. */
export interface Spare {
  readonly pid: number | undefined;
  set listener(listener: WorkerListener);
  kill(): void;
  forsake(): void;
}

export interface StandbySetup<Worker extends Spare> {
  /** Deaths within 60 s beyond which there is none until the next `prepare`. */
  readonly maxRestarts: number;
  readonly forkLimit: LimitFunction;
  readonly fork: (listener: WorkerListener) => Worker;
  readonly log: Logger;
}

/**
 * One worker more than there are CPUs, with its scripts loaded, for the first CPU whose worker dies. It waits for a
 * fork's turn as any worker does, and when it dies itself the next one comes by the rules that hold for a CPU's.
 */
export class Standby<Worker extends Spare> {
  readonly #setup: StandbySetup<Worker>;
  #worker: Worker | undefined;
  #loadedMs: number | undefined;
  #loadTicks = 0;
  /** A fork waits for its turn or, with a timer, for its time. */
  #isDue = false;
  #timer: NodeJS.Timeout | undefined;
  #history: CrashHistory = noCrashes;
  /** Why the last fork failed, which is said once until one succeeds. */
  #forkFailure: string | undefined;
  /** Gives a fork's turn to the next. */
  #settled: () => void = () => undefined;
  #ended: (() => void) | undefined;
  #over = false;

  constructor(setup: StandbySetup<Worker>) {
    this.#setup = setup;
  }

  /** Whether `take` gives one: it may be loading still, and is sooner there than one that is yet to be forked. */
  get isThere(): boolean {
    return this.#worker !== undefined && !this.#over;
  }

  /** Whether there is one or it is next but for its turn to fork: who waits for a turn behind it can take it. */
  get isNear(): boolean {
    return this.isThere || (this.#isDue && this.#timer === undefined);
  }

  /** Has one made, unless there is one or is to be one. */
  prepare(): void {
    if (this.#over || this.#isDue || this.#worker !== undefined) return;
    this.#isDue = true;
    void this.#setup.forkLimit(
      () =>
        new Promise<void>((settled) => {
          this.#isDue = false;
          if (this.#over) settled();
          else this.#fork(settled);
        }),
    );
  }

  /**
   * Gives it away, for good, also while it loads; its turn to fork ends when it has.
   * @param listener hears of it from now on
   */
  take(listener: WorkerListener): Worker | undefined {
    if (!this.isThere) return undefined;
    const worker = this.#worker;
    this.#worker = undefined;
    const settled = this.#settled;
    if (worker !== undefined)
      worker.listener = {
        heard: (message) => {
          if (message.kind === 'loaded') settled();
          listener.heard(message);
        },
        ended: (end) => {
          settled();
          listener.ended(end);
        },
      };
    return worker;
  }

  /** Once a second: one that does not load is killed. */
  tick(): void {
    if (this.#worker === undefined || this.#loadedMs !== undefined) return;
    this.#loadTicks += 1;
    if (this.#loadTicks <= loadTicksMax) return;
    this.#loadTicks = 0;
    this.#setup.log.error(
      { pid: this.#worker.pid, silentSeconds: loadTicksMax },
      'standby does not load: killed',
    );
    this.#worker.kill();
  }

  /** Ends it, at once: it holds nothing. Resolves when it is gone; there is no other one then. */
  end(): Promise<void> {
    this.#over = true;
    clearTimeout(this.#timer);
    if (this.#worker === undefined) return Promise.resolve();
    const gone = new Promise<void>((resolve) => {
      this.#ended = resolve;
    });
    this.#worker.kill();
    this.#worker.forsake();
    return gone;
  }

  #fork(settled: () => void): void {
    this.#loadedMs = undefined;
    this.#loadTicks = 0;
    this.#settled = settled;
    this.#worker = this.#setup.fork({
      heard: (message) => {
        if (message.kind !== 'loaded') return;
        this.#loadedMs = performance.now();
        this.#forkFailure = undefined;
        this.#setup.log.info({ pid: this.#worker?.pid }, 'standby is ready');
        settled();
      },
      ended: (end) => {
        settled();
        this.#died(end);
      },
    });
  }

  #died(end: WorkerEnd): void {
    this.#worker = undefined;
    this.#ended?.();
    if (this.#over) return;
    const { maxRestarts, log } = this.#setup;
    const nowMs = performance.now();
    const livedMs = this.#loadedMs === undefined ? 0 : nowMs - this.#loadedMs;
    const limits = { ...defaultRestartLimits, maxRestarts };
    const decision = decideRestart(this.#history, nowMs, livedMs, limits, Math.random());
    this.#history = decision.history;
    const how = end.kind === 'exited' ? end.how : `cannot fork: ${end.code}`;
    const isSaid = end.kind === 'not-forked' && this.#forkFailure === end.code;
    this.#forkFailure = end.kind === 'not-forked' ? end.code : undefined;
    if (decision.kind === 'give-up') {
      log.warn({ how, maxRestarts }, 'standby dies again and again: none until a worker crashes');
      return;
    }
    log[isSaid ? 'debug' : 'warn']({ how, restartMs: decision.delayMs }, 'standby died: another one comes');
    this.#isDue = true;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#isDue = false;
      this.prepare();
    }, decision.delayMs);
  }
}
