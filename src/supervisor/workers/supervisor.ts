import pLimit from 'p-limit';
import type { AgentState, CpuLedger } from '../../protocol/control.ts';
import type { Identity } from '../../native/process/user.ts';
import type { WorkerSetup } from '../../protocol/ipc.ts';
import { Cpu, type CpuSetup } from './cpu.ts';
import type { RingSource } from './cpu-resources.ts';
import type { CpuState, StopOutcome } from './cpu-machine.ts';
import { Standby } from './standby.ts';
import { type WorkerListener, WorkerProcess } from './worker-process.ts';

const forksAtOnceMax = 8;
const tickMs = 1000;
export const leaveGraceMs = 2000;

/** The result of a stop, by CPU. */
export type StopReport = ReadonlyMap<
  number,
  { readonly outcome: StopOutcome; readonly ledger: Omit<CpuLedger, 'ring'> }
>;

export interface SupervisorListener {
  allFailed(): void;
  outletGone(cpu: number, code: string): void;
}

export interface SupervisorSetup extends Omit<CpuSetup, 'fork' | 'standby' | 'forkLimit'> {
  readonly flushIntervalMs: number;
  readonly stopTimeoutMs: number;
  /** The user that workers switch to; undefined if they keep the supervisor's user. */
  readonly identity: Identity | undefined;
  /** A worker's OOM score adjustment; undefined if it is the same as the supervisor's. */
  readonly workerOomScore: number | undefined;
  /** Whether a standby worker is kept ready. */
  readonly standby: boolean;
}

interface PendingStop {
  readonly id: number;
  readonly outcomes: Map<number, StopOutcome>;
}

interface Watch {
  readonly reached: () => boolean;
  readonly resolve: () => void;
}

/** Supervises all CPUs: an order goes to every CPU, and is done when every CPU has reported. */
export class Supervisor {
  readonly #cpus: readonly Cpu[];
  readonly #standby: Standby<WorkerProcess> | undefined;
  readonly #stopTimeoutMs: number;
  readonly #ticker: NodeJS.Timeout;
  readonly #listener: SupervisorListener;
  #ring: RingSource;
  #wanted: 'run' | 'stop' = 'stop';
  #pending: PendingStop | undefined;
  #stops = 0;
  #watches: Watch[] = [];

  constructor(
    cpus: readonly number[],
    onlineCpus: number,
    ring: RingSource,
    setup: SupervisorSetup,
    listener: SupervisorListener,
  ) {
    this.#ring = ring;
    this.#listener = listener;
    this.#stopTimeoutMs = setup.stopTimeoutMs;
    const forkLimit = pLimit(Math.max(1, Math.min(onlineCpus, forksAtOnceMax)));
    const { outlets, flushIntervalMs, stopTimeoutMs, identity, workerOomScore, maxRestarts, log } = setup;
    const { outlet, frameSync } = outlets;
    const workerSetup: WorkerSetup = {
      outlet,
      frameSync: frameSync === undefined ? undefined : Buffer.from(frameSync).toString('hex'),
      flushIntervalMs,
      stopTimeoutMs,
      identity,
    };
    const fork = (listener: WorkerListener): WorkerProcess =>
      new WorkerProcess(workerSetup, workerOomScore, listener);
    this.#standby = setup.standby ? new Standby({ maxRestarts, forkLimit, fork, log }) : undefined;
    const cpuSetup: CpuSetup = { ...setup, forkLimit, fork, standby: this.#standby };
    const cpuListener = {
      changed: () => this.#changed(),
      stopReported: (cpu: number, id: number, outcome: StopOutcome) => this.#stopReported(cpu, id, outcome),
      outletGone: (cpu: number, code: string) => listener.outletGone(cpu, code),
    };
    this.#cpus = cpus.map((cpu) => new Cpu(cpu, cpuSetup, () => this.#ring, cpuListener));
    this.#ticker = setInterval(() => {
      for (const cpu of this.#cpus) cpu.tick();
      this.#standby?.tick();
    }, tickMs);
  }

  get cpus(): readonly Cpu[] {
    return this.#cpus;
  }

  /** The last order. */
  get wanted(): 'run' | 'stop' {
    return this.#wanted;
  }

  get state(): AgentState {
    if (this.#pending !== undefined) return 'stopping';
    if (this.#wanted === 'stop') return 'stopped';
    return this.#cpus.some((cpu) => onTheWay.has(cpu.state)) ? 'starting' : 'running';
  }

  /**
   * Opens every CPU's descriptors and forks its worker. Resolves when each is ready, waits for something, or is given
   * up.
   */
  async open(ring: RingSource): Promise<void> {
    this.#ring = ring;
    for (const cpu of this.#cpus) cpu.open();
    if (this.#wanted === 'run') for (const cpu of this.#cpus) cpu.run();
    await this.#until(() => this.#cpus.every((cpu) => settled.has(cpu.state)));
    // The standby is forked after the workers that are needed now.
    this.#standby?.prepare();
  }

  /** Resolves when every worker that can run is running. Ends a running stop: the last order wins. */
  async start(): Promise<void> {
    this.#wanted = 'run';
    for (const cpu of this.#cpus) cpu.run();
    // By now every CPU has answered the stop, or reported that it was superseded: a later stop must not join it.
    this.#pending = undefined;
    await this.#until(() => this.#wanted !== 'run' || this.#cpus.every((cpu) => !onTheWay.has(cpu.state)));
  }

  /** Resolves when every CPU has sent the content of its ring, or cannot. A second stop joins the first. */
  async stop(): Promise<StopReport> {
    this.#wanted = 'stop';
    const pending = this.#pending ?? this.#orderStop();
    await this.#until(() => pending.outcomes.size === this.#cpus.length);
    if (this.#pending === pending) this.#pending = undefined;
    return new Map(
      this.#cpus.map((cpu) => {
        const outcome = pending.outcomes.get(cpu.number) ?? 'unreachable';
        const flushed = outcome === 'flushed' || outcome === 'idle';
        return [cpu.number, { outcome, ledger: { ...cpu.account, bytesHeld: cpu.heldBytes, flushed } }];
      }),
    );
  }

  /** Workers empty their pipes and exit; rings and ports are closed. What a port does not accept stays in the pipe. */
  async close(): Promise<void> {
    for (const cpu of this.#cpus) cpu.leave();
    const ended = (): boolean => this.#cpus.every((cpu) => cpu.state === 'ended');
    await Promise.race([this.#until(ended), after(this.#stopTimeoutMs + leaveGraceMs)]);
    for (const cpu of this.#cpus) cpu.kill();
    await Promise.race([this.#until(ended), after(leaveGraceMs)]);
  }

  /** Ends the standby for good. */
  async dismissStandby(): Promise<void> {
    await Promise.race([this.#standby?.end(), after(leaveGraceMs)]);
  }

  /** Closes everything; to be called after `close`. */
  dispose(): void {
    clearInterval(this.#ticker);
    void this.#standby?.end();
    for (const cpu of this.#cpus) cpu.dispose();
  }

  #orderStop(): PendingStop {
    this.#stops += 1;
    const pending: PendingStop = { id: this.#stops, outcomes: new Map() };
    this.#pending = pending;
    for (const cpu of this.#cpus) cpu.stop(pending.id);
    return pending;
  }

  #stopReported(cpu: number, id: number, outcome: StopOutcome): void {
    if (this.#pending?.id === id) this.#pending.outcomes.set(cpu, outcome);
  }

  #changed(): void {
    const reached = this.#watches.filter((watch) => watch.reached());
    this.#watches = this.#watches.filter((watch) => !reached.includes(watch));
    for (const watch of reached) watch.resolve();
    if (this.#cpus.length > 0 && this.#cpus.every((cpu) => cpu.state === 'failed'))
      this.#listener.allFailed();
  }

  #until(reached: () => boolean): Promise<void> {
    if (reached()) return Promise.resolve();
    return new Promise((resolve) => {
      this.#watches.push({ reached, resolve });
    });
  }
}

const settled: ReadonlySet<CpuState['kind']> = new Set([
  'ready',
  'running',
  'stopping',
  'waiting',
  'failed',
  'ended',
]);
/** The states in which a CPU's pages are not moved yet, but soon will be. */
const onTheWay: ReadonlySet<CpuState['kind']> = new Set([
  'absent',
  'queued',
  'starting',
  'parting',
  'backing-off',
]);

function after(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
}
