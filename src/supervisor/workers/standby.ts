import type { LimitFunction } from 'p-limit';
import type { Logger } from 'pino';
import { type CrashHistory, decideRestart, defaultRestartLimits, noCrashes } from './restart-policy.ts';
import type { WorkerEnd, WorkerListener } from './worker-process.ts';

/**
 * Seconds after which a standby that does not load is killed: until it has loaded, it occupies a fork slot that other
 * workers need.
 */
const loadTicksMax = 120;

/** The part of a worker's process that a standby uses. */
export interface Spare {
  readonly pid: number | undefined;
  set listener(listener: WorkerListener);
  kill(): void;
  forsake(): void;
}

export interface StandbySetup<Worker extends Spare> {
  /** After more deaths than this within 60 s there is no standby until the next `prepare`. */
  readonly maxRestarts: number;
  readonly forkLimit: LimitFunction;
  readonly fork: (listener: WorkerListener) => Worker;
  readonly log: Logger;
}

/**
 * One extra worker with its scripts loaded, for the first CPU whose worker dies. It waits for a turn to fork like any
 * worker, and is restarted by the same rules.
 */
export class Standby<Worker extends Spare> {
  readonly #setup: StandbySetup<Worker>;
  #worker: Worker | undefined;
  #loadedMs: number | undefined;
  #loadTicks = 0;
  /** True while the standby waits for a turn to fork or, if `#timer` is set, for the next attempt. */
  #isDue = false;
  #timer: NodeJS.Timeout | undefined;
  #history: CrashHistory = noCrashes;
  /** The errno of the last failed fork: logged once, until a fork succeeds. */
  #forkFailure: string | undefined;
  /** Lets the next worker be forked. */
  #settled: () => void = () => undefined;
  #ended: (() => void) | undefined;
  #over = false;

  constructor(setup: StandbySetup<Worker>) {
    this.#setup = setup;
  }

  /**
   * Whether `take` returns a standby. The standby may still be loading, but is ready sooner than a newly forked worker.
   */
  get isThere(): boolean {
    return this.#worker !== undefined && !this.#over;
  }

  /** Whether there is a standby, or one waits for its turn to fork: a CPU that waits for a later turn can take it. */
  get isNear(): boolean {
    return this.isThere || (this.#isDue && this.#timer === undefined);
  }

  /** Requests a standby, unless there is one or one is already requested. */
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
   * Hands over the standby, even while it still loads. The next worker is forked only after it has loaded.
   * @param listener receives its events from now on
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

  /** Called once a second: a standby that does not load is killed. */
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

  /** Ends the standby at once, as it holds no pages. Resolves when it is gone; no other one is started. */
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
      log.warn({ how, maxRestarts }, 'standby keeps dying: no new one until a worker crashes');
      return;
    }
    log[isSaid ? 'debug' : 'warn']({ how, restartMs: decision.delayMs }, 'standby died: starting another');
    this.#isDue = true;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#isDue = false;
      this.prepare();
    }, decision.delayMs);
  }
}
