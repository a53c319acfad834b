import type { LimitFunction } from 'p-limit';
import type { Logger } from 'pino';
import type { Assignment, ToSupervisor, ToWorker } from '../../protocol/ipc.ts';
import type { CpuEvent, CpuModel } from './cpu-machine.ts';
import type { CpuResources } from './cpu-resources.ts';
import {
  type CrashHistory,
  decideRestart,
  defaultRestartLimits,
  noCrashes,
  replaceAtOnce,
} from './restart-policy.ts';
import type { Standby } from './standby.ts';
import type { WorkerEnd, WorkerListener, WorkerProcess } from './worker-process.ts';

/** The source of the workers of all CPUs. */
export interface WorkerSource {
  readonly maxRestarts: number;
  readonly fork: (listener: WorkerListener) => WorkerProcess;
  /** Undefined if no standby is kept. */
  readonly standby: Standby<WorkerProcess> | undefined;
  /** Limits how many workers start at once. */
  readonly forkLimit: LimitFunction;
}

/** The CPU that the workers serve. */
export interface WorkerOwner {
  state(): CpuModel['state']['kind'];
  dispatch(event: CpuEvent): void;
  heard(message: ToSupervisor): void;
}

/**
 * Seconds without a heartbeat after which a worker is killed; a worker beats once a second. The supervisor counts its
 * own ticks, so a paused guest does no harm. When many workers start at once in an emulated guest on a busy host,
 * starting takes up to a minute, and killing them would only add load.
 */
const silentTicksMax = { starting: 120, started: 5 } as const;

/** The current worker of one CPU: forks it, watches its heartbeat, and decides when its successor comes. */
export class CpuWorker {
  readonly #cpu: number;
  readonly #source: WorkerSource;
  readonly #resources: CpuResources;
  readonly #log: Logger;
  readonly #owner: WorkerOwner;
  #worker: WorkerProcess | undefined;
  #history: CrashHistory = noCrashes;
  /** Times of crashes after which the standby took over at once; not in `#history`. */
  #replacedMs: readonly number[] = [];
  /**
   * Workers' exits because the port or ring disappeared. They are not crashes, and the CPU is never given up because
   * of them.
   */
  #departures: CrashHistory = noCrashes;
  #readyMs: number | undefined;
  /** `bytesOut` when the worker became ready. */
  #bytesOutBefore = 0;
  /** Whether the next worker replaces one that ended. */
  #replaces = false;
  /** errno of the last failed fork, which is logged once; undefined after a fork that succeeded. */
  #forkFailure: string | undefined;
  /** The worker had loaded its scripts before it got this CPU, so the longer limit for starting does not apply. */
  #tookLoaded = false;
  #seenBeat = 0;
  #silentTicks = 0;
  #restarts = 0;

  constructor(cpu: number, source: WorkerSource, resources: CpuResources, log: Logger, owner: WorkerOwner) {
    this.#cpu = cpu;
    this.#source = source;
    this.#resources = resources;
    this.#log = log;
    this.#owner = owner;
  }

  get pid(): number | undefined {
    return this.#worker?.pid;
  }

  get restarts(): number {
    return this.#restarts;
  }

  /** Call this after ring and port were opened again: the next worker is then forked, even if there is a standby. */
  startOver(): void {
    this.#replaces = false;
  }

  send(message: ToWorker): void {
    this.#worker?.send(message);
  }

  kill(): void {
    this.#worker?.kill();
  }

  /** Closes the worker's channel; see `WorkerProcess.forsake`. */
  forsake(): void {
    this.#worker?.forsake();
  }

  /** Once a second: kills a worker whose heartbeat stopped; a successor takes over. */
  tick(): void {
    const { beat } = this.#resources;
    if (this.#worker === undefined || beat !== this.#seenBeat) {
      this.#seenBeat = beat;
      this.#silentTicks = 0;
      return;
    }
    this.#silentTicks += 1;
    const starts = this.#owner.state() === 'starting' && !this.#tookLoaded;
    const limit = starts ? silentTicksMax.starting : silentTicksMax.started;
    if (this.#silentTicks <= limit) return;
    this.#silentTicks = 0;
    this.#log.error({ pid: this.pid, silentSeconds: limit }, 'worker does not respond: killed');
    this.kill();
  }

  /** Takes the standby at once when the next worker is a replacement, else forks when a fork slot is free. */
  queueFork(): void {
    if (this.#replaces && this.#source.standby?.isThere === true) {
      this.#start(() => undefined);
      return;
    }
    void this.#source.forkLimit(
      () =>
        new Promise<void>((started) => {
          // the order to leave may have come while this fork was queued
          if (this.#owner.state() === 'queued') this.#start(started);
          else started();
        }),
    );
  }

  /** @param settled called once, when the worker is ready or has failed: frees the fork slot */
  #start(settled: () => void): void {
    const { fork, standby } = this.#source;
    const listener: WorkerListener = {
      heard: (message) => {
        if (message.kind === 'ready') {
          settled();
          this.#readyMs = performance.now();
          this.#bytesOutBefore = this.#resources.account.bytesOut;
        }
        this.#owner.heard(message);
      },
      ended: (end) => {
        settled();
        this.#worker = undefined;
        this.#ended(end);
      },
    };
    this.#silentTicks = 0;
    this.#readyMs = undefined;
    const spare = this.#replaces ? standby?.take(listener) : undefined;
    this.#tookLoaded = spare?.isLoaded === true;
    if (spare !== undefined) this.#log.info({ pid: spare.pid }, 'standby takes over');
    this.#worker = spare ?? fork(listener);
    this.#worker.serve(this.#assignment(), this.#resources.lent);
    if (this.#replaces) standby?.prepare();
    this.#owner.dispatch({ kind: 'spawned' });
  }

  #assignment(): Assignment {
    const { pageBytes, pipePages } = this.#resources;
    return { cpu: this.#cpu, pageBytes, pipePages };
  }

  #ended(end: WorkerEnd): void {
    if (end.kind === 'exited') {
      this.#forkFailure = undefined;
      this.#exited(end.clean, end.how);
      return;
    }
    const isNew = this.#forkFailure !== end.code;
    this.#forkFailure = end.code;
    this.#exited(false, `cannot fork: ${end.code}`, isNew ? 'warn' : 'debug');
  }

  #exited(clean: boolean, how: string, level: 'warn' | 'debug' = 'warn'): void {
    const state = this.#owner.state();
    const nowMs = performance.now();
    const livedMs = this.#readyMs === undefined ? 0 : nowMs - this.#readyMs;
    if (state === 'leaving' && clean) {
      this.#owner.dispatch({ kind: 'exited', clean, restartMs: undefined });
      return;
    }
    this.#replaces = true;
    if (state === 'parting') {
      // The port or ring may come back and go away again at once: without a delay workers would be forked in a loop.
      const limits = { ...defaultRestartLimits, maxRestarts: Number.POSITIVE_INFINITY };
      const decision = decideRestart(this.#departures, nowMs, livedMs, limits, Math.random());
      this.#departures = decision.history;
      const restartMs = decision.kind === 'restart' ? decision.delayMs : undefined;
      this.#owner.dispatch({ kind: 'exited', clean, restartMs });
      return;
    }
    const limits = { ...defaultRestartLimits, maxRestarts: this.#source.maxRestarts };
    const replacedMs = this.#mayBeReplaced(livedMs)
      ? replaceAtOnce(this.#replacedMs, nowMs, limits)
      : undefined;
    if (replacedMs !== undefined) {
      this.#replacedMs = replacedMs;
      this.#restarts += 1;
      this.#log[level]({ how, restartMs: 0 }, 'worker crashed: restarting');
      this.#owner.dispatch({ kind: 'exited', clean, restartMs: 0 });
      return;
    }
    const decision = decideRestart(this.#history, nowMs, livedMs, limits, Math.random());
    this.#history = decision.history;
    if (decision.kind === 'give-up') {
      this.#log.error({ how, maxRestarts: limits.maxRestarts }, 'worker keeps crashing: given up');
      this.#owner.dispatch({ kind: 'exited', clean, restartMs: undefined });
      return;
    }
    this.#restarts += 1;
    this.#log[level]({ how, restartMs: decision.delayMs }, 'worker crashed: restarting');
    this.#owner.dispatch({ kind: 'exited', clean, restartMs: decision.delayMs });
  }

  /**
   * Whether the standby may replace the worker at once. It may only if the worker has sent something to the port:
   * otherwise, its successor would probably fail in the same way.
   */
  #mayBeReplaced(livedMs: number): boolean {
    const wasOfUse = livedMs > 0 && this.#resources.account.bytesOut > this.#bytesOutBefore;
    return wasOfUse && this.#source.standby?.isNear === true;
  }
}
