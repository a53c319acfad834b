import { type ChildProcess, fork } from 'node:child_process';
import { closeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { LimitFunction } from 'p-limit';
import type { Logger } from 'pino';
import { exitCode, Failure } from '../failure.ts';
import { errorCode } from '../error-code.ts';
import { NativeError } from '../native/error.ts';
import { heldBytes, makePipe, type Pipe, pipeSlots, setPipeBytes } from '../native/pipe.ts';
import { makeMemory } from '../native/shared-memory.ts';
import type { Identity } from '../native/user.ts';
import type { CpuAccount } from '../protocol/control.ts';
import type { ToSupervisor, ToWorker, WorkerSetup } from '../protocol/ipc.ts';
import { Ledger, ledgerBytes } from '../protocol/ledger.ts';
import { type CpuEvent, type CpuModel, type Effect, newCpu, type StopOutcome, step } from './cpu-machine.ts';
import { setScore } from './oom-score.ts';
import type { OutletSource } from './outlets.ts';
import { type CrashHistory, decideRestart, defaultRestartLimits, noCrashes } from './restart-policy.ts';

/** The ring that a CPU is read from. */
export interface RingSource {
  openRing(cpu: number): number;
  pageBytes(): number;
  ringPages(cpu: number): number;
}

/** What all CPUs have in common. */
export interface CpuSetup {
  readonly outlets: OutletSource;
  readonly pipeBytes: number;
  readonly flushIntervalMs: number;
  readonly stopTimeoutMs: number;
  readonly maxRestarts: number;
  readonly identity: Identity | undefined;
  /** What the kernel's OOM killer makes of a worker; undefined: the same as of the supervisor. */
  readonly workerOomScore: number | undefined;
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

const workerPath = fileURLToPath(new URL('../worker/main.js', import.meta.url));
/**
 * A worker runs a few lines of script some hundred times a second. Compiling them, and the memory and threads to
 * compile with, cost more than they ever bring back; in an emulated guest, where fresh machine code has to be
 * translated again, far more. (WebAssembly is only named to keep V8 from warning that it goes with the compiler.)
 */
const workerFlags = ['--jitless', '--no-expose-wasm', '--v8-pool-size=0'];
/**
 * A worker beats once a second; the supervisor counts its own seconds, so that a guest that was paused harms nobody.
 * Many workers starting at once in an emulated guest on a busy host take a minute, and killing them only adds to it.
 */
const silentTicksMax = { starting: 120, started: 5 } as const;

/**
 * One CPU: owns the ring's descriptor, the pipe, the port and the ledger, and lends them to one worker after the
 * other. Carries out what the state machine says.
 */
export class Cpu {
  readonly number: number;
  readonly #setup: CpuSetup;
  readonly #ring: () => RingSource;
  readonly #listener: CpuListener;
  readonly #log: Logger;
  #model: CpuModel = newCpu;
  #ringFd: number | undefined;
  #portFd: number | undefined;
  #pipe: Pipe | undefined;
  #ledgerFd: number | undefined;
  #ledger: Ledger | undefined;
  #pageBytes = 0;
  #child: ChildProcess | undefined;
  #timer: NodeJS.Timeout | undefined;
  #history: CrashHistory = noCrashes;
  /** The same for ends with a port or ring that went, which are no crashes and never given up. */
  #departures: CrashHistory = noCrashes;
  #readyMs: number | undefined;
  /** Why the last fork failed, which is said once until one succeeds. */
  #forkFailure: string | undefined;
  #seenBeat = 0;
  #silentTicks = 0;
  #restarts = 0;
  /** Why the outlet is dead for good: a port may come back, stdout does not. */
  #outletDead: string | undefined;

  /** @param ring asked at each opening, for the instance may change between two */
  constructor(number: number, setup: CpuSetup, ring: () => RingSource, listener: CpuListener) {
    this.number = number;
    this.#setup = setup;
    this.#ring = ring;
    this.#listener = listener;
    this.#log = setup.log.child({ cpu: number });
  }

  get state(): CpuModel['state']['kind'] {
    return this.#model.state.kind;
  }

  /** Why the CPU is waited for; undefined when it is not. */
  get waitReason(): string | undefined {
    return this.#model.state.kind === 'waiting' ? this.#model.state.reason : undefined;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get restarts(): number {
    return this.#restarts;
  }

  get account(): CpuAccount {
    const ledger = this.#ledger;
    if (ledger === undefined) return { pagesIn: 0, bytesOut: 0, bytesLost: 0, stalls: 0 };
    return {
      pagesIn: Math.floor(ledger.bytesIn / this.#pageBytes),
      bytesOut: ledger.bytesOut,
      bytesLost: ledger.bytesLost,
      stalls: ledger.stalls,
    };
  }

  /** Bytes taken from the ring that the port has not taken yet. */
  get heldBytes(): number {
    return this.#pipe === undefined ? 0 : heldBytes(this.#pipe.readEnd);
  }

  open(): void {
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
    this.#child?.kill('SIGKILL');
  }

  /** Once a second: a worker that does not beat is killed; its successor goes on. */
  tick(): void {
    const { kind } = this.#model.state;
    const beat = this.#ledger?.beat ?? 0;
    if (this.#child === undefined || beat !== this.#seenBeat) {
      this.#seenBeat = beat;
      this.#silentTicks = 0;
      return;
    }
    this.#silentTicks += 1;
    const limit = kind === 'starting' ? silentTicksMax.starting : silentTicksMax.started;
    if (this.#silentTicks <= limit) return;
    this.#silentTicks = 0;
    this.#log.error({ pid: this.pid, silentSeconds: limit }, 'worker does not answer: killed');
    this.kill();
  }

  /** Gives everything up; a worker that is still there sees its channel close, empties the pipe and leaves. */
  dispose(): void {
    clearTimeout(this.#timer);
    if (this.#child?.connected) this.#child.disconnect();
    this.#child?.unref();
    this.#close('all');
    if (this.#pipe !== undefined) {
      closeSync(this.#pipe.readEnd);
      closeSync(this.#pipe.writeEnd);
      this.#pipe = undefined;
    }
    this.#dropLedger();
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
        return this.#send({ kind: 'start' });
      case 'send-stop':
        return this.#send({ kind: 'stop', id: effect.id, maxPages: this.#ringPages() });
      case 'send-leave':
        return this.#send({ kind: 'leave' });
      case 'close':
        return this.#close(effect.what);
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
        throw new Failure(exitCode.lost, `stdout takes no more pages: ${this.#outletDead}`);
      this.#ringFd ??= this.#ring().openRing(this.number);
      this.#portFd ??= this.#setup.outlets.open(this.number);
      this.#pipe ??= makePipeOf(this.#setup.pipeBytes);
      this.#openLedger(this.#ring().pageBytes());
    } catch (error) {
      if (!(error instanceof Failure || error instanceof NativeError)) throw error;
      const remedy = error instanceof Failure && error.remedy !== '' ? `; ${error.remedy}` : '';
      event = { kind: 'unavailable', reason: `${error.message}${remedy}` };
    }
    this.#dispatch(event);
  }

  /** The account goes on over a change of page size; only the staging area changes with it. */
  #openLedger(pageBytes: number): void {
    if (this.#ledger !== undefined && pageBytes === this.#pageBytes) return;
    const fd = makeMemory('trace-agent-ledger', ledgerBytes(pageBytes));
    const ledger = new Ledger(fd, pageBytes);
    if (this.#ledger !== undefined) ledger.continueFrom(this.#ledger);
    this.#dropLedger();
    this.#ledgerFd = fd;
    this.#ledger = ledger;
    this.#pageBytes = pageBytes;
  }

  #dropLedger(): void {
    this.#ledger?.unmap();
    this.#ledger = undefined;
    if (this.#ledgerFd !== undefined) closeSync(this.#ledgerFd);
    this.#ledgerFd = undefined;
  }

  #queueFork(): void {
    void this.#setup.forkLimit(
      () =>
        new Promise<void>((started) => {
          // The order to leave may have come while it queued.
          if (this.#model.state.kind === 'queued') this.#fork(started);
          else started();
        }),
    );
  }

  /** @param settled called once, when the worker is ready or has failed: the next may fork */
  #fork(settled: () => void): void {
    let child: ChildProcess;
    try {
      child = fork(workerPath, [JSON.stringify(this.#workerSetup())], {
        stdio: ['ignore', 'ignore', 'inherit', ...this.#descriptors(), 'ipc'],
        execArgv: workerFlags,
        // One thread of libuv's pool is enough to load scripts; nothing else of our environment is the worker's.
        env: { UV_THREADPOOL_SIZE: '1' },
        cwd: '/',
        serialization: 'json',
      });
    } catch (error) {
      settled();
      // Not from within the step that asked for the fork.
      setImmediate(() => this.#forkFailed(errorCode(error)));
      return;
    }
    this.#child = child;
    this.#silentTicks = 0;
    this.#readyMs = undefined;
    child.on('message', (message: ToSupervisor) => {
      if (message.kind === 'ready') settled();
      if (this.#child === child) this.#heard(message);
    });
    if (child.pid !== undefined) {
      this.#forkFailure = undefined;
      if (this.#setup.workerOomScore !== undefined) setScore(child.pid, this.#setup.workerOomScore);
    }
    const ended = (clean: boolean, how: string): void => {
      settled();
      if (this.#child !== child) return;
      this.#child = undefined;
      this.#exited(clean, how);
    };
    child.on('exit', (code, signal) => ended(code === 0, signal === null ? `exit code ${code}` : signal));
    child.on('error', (error: NodeJS.ErrnoException) => {
      // Also emitted when a message cannot be sent to a worker that is going; then its exit says all.
      if (child.pid !== undefined) return;
      settled();
      this.#child = undefined;
      this.#forkFailed(error.code ?? error.message);
    });
    this.#dispatch({ kind: 'spawned' });
  }

  #workerSetup(): WorkerSetup {
    return {
      cpu: this.number,
      pageBytes: this.#pageBytes,
      pipePages: pipeSlots(this.#openPipe().writeEnd),
      outlet: this.#setup.outlets.outlet,
      flushIntervalMs: this.#setup.flushIntervalMs,
      stopTimeoutMs: this.#setup.stopTimeoutMs,
      identity: this.#setup.identity,
    };
  }

  /** In the order that `inherited` of protocol/ipc.ts gives. */
  #descriptors(): (number | 'ignore')[] {
    const { readEnd, writeEnd } = this.#openPipe();
    const lent = [this.#ringFd, readEnd, writeEnd, this.#portFd, this.#ledgerFd, this.#setup.outlets.turnFd];
    return lent.map((fd) => fd ?? 'ignore');
  }

  #openPipe(): Pipe {
    if (this.#pipe === undefined) throw new Error('forked before it was opened');
    return this.#pipe;
  }

  #heard(message: ToSupervisor): void {
    switch (message.kind) {
      case 'ready':
        this.#readyMs = performance.now();
        if (!message.pinned)
          this.#log.warn('CPU is offline: its ring is read from another CPU until it is back');
        return this.#dispatch({ kind: 'ready' });
      case 'stopped':
        if (!message.flushed)
          this.#log.error({ heldBytes: message.heldBytes }, 'port takes nothing: stopped with pages left');
        return this.#dispatch({ kind: 'stopped', id: message.id, flushed: message.flushed });
      case 'gone':
        this.#log.warn({ what: message.what, code: message.code }, `${message.what} is gone`);
        if (message.what === 'port' && this.#setup.outlets.outlet !== 'splice') {
          this.#outletDead = message.code;
          this.#listener.outletGone(this.number, message.code);
        }
        return this.#dispatch({ kind: 'gone', what: message.what });
      case 'lost':
        this.#log.error({ bytes: message.bytes }, 'port took pages and dropped them: lost');
        return;
      case 'host':
        if (message.connected) this.#log.info('host end of the port is connected');
        else this.#log.warn('host end of the port is not connected: pages wait in the ring');
        return;
      default:
        return message satisfies never;
    }
  }

  #forkFailed(code: string): void {
    const isNew = this.#forkFailure !== code;
    this.#forkFailure = code;
    this.#exited(false, `cannot fork: ${code}`, isNew ? 'warn' : 'debug');
  }

  #exited(clean: boolean, how: string, sayAt: 'warn' | 'debug' = 'warn'): void {
    const { kind } = this.#model.state;
    const nowMs = performance.now();
    const livedMs = this.#readyMs === undefined ? 0 : nowMs - this.#readyMs;
    if (kind === 'leaving' && clean) {
      this.#dispatch({ kind: 'exited', clean, restartMs: undefined });
      return;
    }
    if (kind === 'parting') {
      // What went may be there again and go again at once: without a wait that would be a fork after the other.
      const limits = { ...defaultRestartLimits, maxRestarts: Number.POSITIVE_INFINITY };
      const decision = decideRestart(this.#departures, nowMs, livedMs, limits, Math.random());
      this.#departures = decision.history;
      const restartMs = decision.kind === 'restart' ? decision.delayMs : undefined;
      this.#dispatch({ kind: 'exited', clean, restartMs });
      return;
    }
    const limits = { ...defaultRestartLimits, maxRestarts: this.#setup.maxRestarts };
    const decision = decideRestart(this.#history, nowMs, livedMs, limits, Math.random());
    this.#history = decision.history;
    if (decision.kind === 'give-up') {
      this.#log.error({ how, maxRestarts: limits.maxRestarts }, 'worker crashes again and again: given up');
      this.#dispatch({ kind: 'exited', clean, restartMs: undefined });
      return;
    }
    this.#restarts += 1;
    this.#log[sayAt]({ how, restartMs: decision.delayMs }, 'worker crashed: restarts');
    this.#dispatch({ kind: 'exited', clean, restartMs: decision.delayMs });
  }

  #ringPages(): number {
    return this.#ring().ringPages(this.number);
  }

  #send(message: ToWorker): void {
    // A worker that is going cannot be reached; what it was told is told its successor.
    this.#child?.send(message, () => undefined);
  }

  #close(what: 'ring' | 'port' | 'all'): void {
    if (what !== 'port' && this.#ringFd !== undefined) {
      closeSync(this.#ringFd);
      this.#ringFd = undefined;
    }
    if (what !== 'ring' && this.#portFd !== undefined) {
      closeSync(this.#portFd);
      this.#portFd = undefined;
    }
  }
}

/** @returns a pipe as near to the size asked for as this user may have */
function makePipeOf(bytes: number): Pipe {
  const pipe = makePipe();
  for (let size = bytes; size >= 65_536; size /= 2) {
    try {
      setPipeBytes(pipe.writeEnd, size);
      break;
    } catch (error) {
      if (!(error instanceof NativeError && error.code === 'EPERM')) throw error;
    }
  }
  return pipe;
}
