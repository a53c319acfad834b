import type { LimitFunction } from 'p-limit';
import type { Logger } from 'pino';
import { exitCode, Failure } from '../../base/failure.ts';
import { NativeError } from '../../native/error.ts';
import type { CpuAccount } from '../../protocol/control.ts';
import type { Assignment, ToSupervisor } from '../../protocol/ipc.ts';
import { CpuResources, type RingSource } from './cpu-resources.ts';
import { type CpuEvent, type CpuModel, type Effect, newCpu, type StopOutcome, step } from './cpu-machine.ts';
import type { OutletSource } from '../ports/outlets.ts';
import { PortAway } from '../ports/ports.ts';
import {
  type CrashHistory,
  decideRestart,
  defaultRestartLimits,
  noCrashes,
  replaceAtOnce,
} from './restart-policy.ts';
import type { Standby } from './standby.ts';
import type { WorkerEnd, WorkerListener, WorkerProcess } from './worker-process.ts';

/** What all CPUs share. */
export interface CpuSetup {
  readonly outlets: OutletSource;
  readonly pipeBytes: number;
  readonly maxRestarts: number;
  readonly fork: (listener: WorkerListener) => WorkerProcess;
  /** undefined: there is none. */
  readonly standby: Standby<WorkerProcess> | undefined;
  /** How many workers may start at once. */
  readonly forkLimit: LimitFunction;
  readonly log: Logger;
}

export interface CpuListener {
  /** Something changed; called after every event. */
  changed(): void;
  stopReported(cpu: number, id: number, outcome: StopOutcome): void;
  /** The outlet is dead for good (stdout's reader went away); never for a port, which may come back. */
  outletGone(cpu: number, code: string): void;
}

/**
 * A worker beats once a second; the supervisor counts its own ticks, so that pausing the guest does no harm. Many
 * workers starting at once in an emulated guest on a busy host take a minute, and killing them only makes it worse.
 */
const silentTicksMax = { starting: 120, started: 5 } as const;

/**
 * One CPU: carries out the effects of the state machine, and hands the CPU's descriptors to one worker after the
 * other.
 */
export class Cpu {
  readonly number: number;
  readonly #setup: CpuSetup;
  readonly #ring: () => RingSource;
  readonly #listener: CpuListener;
  readonly #log: Logger;
  readonly #resources: CpuResources;
  #model: CpuModel = newCpu;
  #worker: WorkerProcess | undefined;
  #timer: NodeJS.Timeout | undefined;
  #history: CrashHistory = noCrashes;
  /** Crashes after which the standby took over at once: these are not in the history. */
  #replacedMs: readonly number[] = [];
  /**
   * As above, for exits because of a port or ring that went away: these are not crashes, and the CPU is never given
   * up for them.
   */
  #departures: CrashHistory = noCrashes;
  #readyMs: number | undefined;
  /** Bytes at the port when the worker became ready. */
  #bytesOutBefore = 0;
  /** Whether the next worker replaces another. */
  #replaces = false;
  /** Why the last fork failed; logged once until one succeeds. */
  #forkFailure: string | undefined;
  /** The worker was already loaded when it got this CPU: it is not allowed the time of a start. */
  #tookLoaded = false;
  #seenBeat = 0;
  #silentTicks = 0;
  #restarts = 0;
  /** Why the outlet is dead for good: a port may come back, stdout does not. */
  #outletDead: string | undefined;

  /** @param ring called at each opening, because the instance may change in between */
  constructor(number: number, setup: CpuSetup, ring: () => RingSource, listener: CpuListener) {
    this.number = number;
    this.#setup = setup;
    this.#ring = ring;
    this.#listener = listener;
    this.#log = setup.log.child({ cpu: number });
    this.#resources = new CpuResources(number, setup.outlets, setup.pipeBytes);
  }

  get state(): CpuModel['state']['kind'] {
    return this.#model.state.kind;
  }

  /** Why the CPU is waited for; undefined when it is not. */
  get waitReason(): string | undefined {
    return this.#model.state.kind === 'waiting' ? this.#model.state.reason : undefined;
  }

  get pid(): number | undefined {
    return this.#worker?.pid;
  }

  get restarts(): number {
    return this.#restarts;
  }

  get account(): CpuAccount {
    return this.#resources.account;
  }

  /** Bytes taken from the ring that are not at the port yet. */
  get heldBytes(): number {
    return this.#resources.heldBytes;
  }

  /** Page size of the ring that was opened last; 0 before the first. */
  get pageBytes(): number {
    return this.#resources.pageBytes;
  }

  open(): void {
    this.#replaces = false;
    this.#dispatch({ kind: 'open' });
  }

  run(): void {
    this.#dispatch({ kind: 'run' });
  }

  stop(id: number): void {
    this.#dispatch({ kind: 'stop', id });
  }

  leave(): void {
    this.#dispatch({ kind: 'leave', heldBytes: this.heldBytes });
  }

  /** Ends the worker at once. */
  kill(): void {
    this.#worker?.kill();
  }

  /** Called once a second: a worker without a heartbeat is killed, and its successor continues. */
  tick(): void {
    const { kind } = this.#model.state;
    const { beat } = this.#resources;
    if (this.#worker === undefined || beat !== this.#seenBeat) {
      this.#seenBeat = beat;
      this.#silentTicks = 0;
      return;
    }
    this.#silentTicks += 1;
    const starts = kind === 'starting' && !this.#tookLoaded;
    const limit = starts ? silentTicksMax.starting : silentTicksMax.started;
    if (this.#silentTicks <= limit) return;
    this.#silentTicks = 0;
    this.#log.error({ pid: this.pid, silentSeconds: limit }, 'worker does not respond: killed');
    this.kill();
  }

  /** Closes everything; a remaining worker sees its channel close, empties the pipe and exits. */
  dispose(): void {
    clearTimeout(this.#timer);
    this.#worker?.forsake();
    this.#resources.dispose();
  }

  #dispatch(event: CpuEvent): void {
    const { cpu, effects } = step(this.#model, event);
    this.#model = cpu;
    for (const effect of effects) this.#perform(effect);
    this.#listener.changed();
  }

  #perform(effect: Effect): void {
    switch (effect.kind) {
      case 'open':
        return this.#open();
      case 'fork':
        return this.#queueFork();
      case 'send-start':
        return this.#worker?.send({ kind: 'start' });
      case 'send-stop':
        return this.#worker?.send({ kind: 'stop', id: effect.id, maxPages: this.#ringPages() });
      case 'send-leave':
        return this.#worker?.send({ kind: 'leave' });
      case 'close':
        return this.#resources.close(effect.what);
      case 'timer':
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => this.#dispatch({ kind: 'timer' }), effect.ms);
        return;
      case 'report-stop':
        return this.#listener.stopReported(this.number, effect.id, effect.outcome);
      case 'say-waiting':
        this.#log.warn(effect.reason);
        return;
      default:
        return effect satisfies never;
    }
  }

  #open(): void {
    let event: CpuEvent = { kind: 'opened' };
    try {
      if (this.#outletDead !== undefined)
        throw new Failure(exitCode.lost, `stdout accepts no more pages: ${this.#outletDead}`);
      this.#resources.open(this.#ring());
    } catch (error) {
      if (!(error instanceof Failure || error instanceof NativeError)) throw error;
      const remedy = error instanceof Failure && error.remedy !== '' ? `; ${error.remedy}` : '';
      const why = error instanceof PortAway ? error.why : error.message;
      event = { kind: 'unavailable', why, reason: `${error.message}${remedy}` };
    }
    this.#dispatch(event);
  }

  #queueFork(): void {
    if (this.#replaces && this.#setup.standby?.isThere === true) {
      this.#start(() => undefined);
      return;
    }
    void this.#setup.forkLimit(
      () =>
        new Promise<void>((started) => {
          // The order to leave may have come while it was queued.
          if (this.#model.state.kind === 'queued') this.#start(started);
          else started();
        }),
    );
  }

  /** @param settled called once, when the worker is ready or has failed: then the next one may fork */
  #start(settled: () => void): void {
    const { fork, standby } = this.#setup;
    const listener: WorkerListener = {
      heard: (message) => {
        if (message.kind === 'ready') settled();
        this.#heard(message);
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
    this.#dispatch({ kind: 'spawned' });
  }

  #assignment(): Assignment {
    const { pageBytes, pipePages } = this.#resources;
    return { cpu: this.number, pageBytes, pipePages };
  }

  #heard(message: ToSupervisor): void {
    switch (message.kind) {
      case 'loaded':
        return;
      case 'ready':
        this.#readyMs = performance.now();
        this.#bytesOutBefore = this.account.bytesOut;
        if (!message.pinned)
          this.#log.warn('CPU is offline: reading its ring from another CPU until it is back');
        return this.#dispatch({ kind: 'ready' });
      case 'stopped':
        if (!message.flushed)
          this.#log.error({ heldBytes: message.heldBytes }, 'port is full: stopped with pages left');
        return this.#dispatch({ kind: 'stopped', id: message.id, flushed: message.flushed });
      case 'gone':
        this.#log.warn({ what: message.what, code: message.code }, `${message.what} is gone`);
        if (message.what === 'port' && this.#setup.outlets.outlet !== 'splice') {
          this.#outletDead = message.code;
          this.#listener.outletGone(this.number, message.code);
        }
        return this.#dispatch({ kind: 'gone', what: message.what });
      case 'lost':
        this.#log.error({ bytes: message.bytes }, 'port accepted pages and dropped them: lost');
        return;
      case 'host':
        if (message.connected) this.#log.info('host end of the port is connected');
        else this.#log.warn('host end of the port is not connected: pages stay in the ring');
        return;
      default:
        return message satisfies never;
    }
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

  #exited(clean: boolean, how: string, sayAt: 'warn' | 'debug' = 'warn'): void {
    const { kind } = this.#model.state;
    const nowMs = performance.now();
    const livedMs = this.#readyMs === undefined ? 0 : nowMs - this.#readyMs;
    if (kind === 'leaving' && clean) {
      this.#dispatch({ kind: 'exited', clean, restartMs: undefined });
      return;
    }
    this.#replaces = true;
    if (kind === 'parting') {
      // The port or ring may come back and fail again at once: without a delay that would fork one worker after the
      // other.
      const limits = { ...defaultRestartLimits, maxRestarts: Number.POSITIVE_INFINITY };
      const decision = decideRestart(this.#departures, nowMs, livedMs, limits, Math.random());
      this.#departures = decision.history;
      const restartMs = decision.kind === 'restart' ? decision.delayMs : undefined;
      this.#dispatch({ kind: 'exited', clean, restartMs });
      return;
    }
    const limits = { ...defaultRestartLimits, maxRestarts: this.#setup.maxRestarts };
    const replacedMs = this.#mayBeReplaced(livedMs)
      ? replaceAtOnce(this.#replacedMs, nowMs, limits)
      : undefined;
    if (replacedMs !== undefined) {
      this.#replacedMs = replacedMs;
      this.#restarts += 1;
      this.#log[sayAt]({ how, restartMs: 0 }, 'worker crashed: restarting');
      this.#dispatch({ kind: 'exited', clean, restartMs: 0 });
      return;
    }
    const decision = decideRestart(this.#history, nowMs, livedMs, limits, Math.random());
    this.#history = decision.history;
    if (decision.kind === 'give-up') {
      this.#log.error({ how, maxRestarts: limits.maxRestarts }, 'worker keeps crashing: given up');
      this.#dispatch({ kind: 'exited', clean, restartMs: undefined });
      return;
    }
    this.#restarts += 1;
    this.#log[sayAt]({ how, restartMs: decision.delayMs }, 'worker crashed: restarting');
    this.#dispatch({ kind: 'exited', clean, restartMs: decision.delayMs });
  }

  /** After a worker that moved nothing, the next one would probably move nothing either. */
  #mayBeReplaced(livedMs: number): boolean {
    const wasOfUse = livedMs > 0 && this.account.bytesOut > this.#bytesOutBefore;
    return wasOfUse && this.#setup.standby?.isNear === true;
  }

  #ringPages(): number {
    return this.#ring().ringPages(this.number);
  }
}
