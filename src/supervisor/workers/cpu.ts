import type { Logger } from 'pino';
import { exitCode, Failure } from '../../base/failure.ts';
import { NativeError } from '../../native/error.ts';
import type { CpuAccount } from '../../protocol/control.ts';
import type { ToSupervisor } from '../../protocol/ipc.ts';
import { CpuResources, type RingSource } from './cpu-resources.ts';
import { type CpuEvent, type CpuModel, type Effect, newCpu, type StopOutcome, step } from './cpu-machine.ts';
import type { OutletSource } from '../ports/outlets.ts';
import { PortAway } from '../ports/ports.ts';
import { CpuWorker, type WorkerSource } from './cpu-worker.ts';

/** The settings shared by all CPUs. */
export interface CpuSetup extends WorkerSource {
  readonly outlets: OutletSource;
  readonly pipeBytes: number;
  readonly log: Logger;
}

export interface CpuListener {
  /** Something changed; called after every event. */
  changed(): void;
  stopReported(cpu: number, id: number, outcome: StopOutcome): void;
  /**
   * The outlet is dead for good: stdout's reader went away, or a file cannot be written. Never called for a port, because a
   * port may come back.
   */
  outletGone(cpu: number, code: string): void;
}

/** One CPU: performs the effects of the state machine and owns what its workers are lent. */
export class Cpu {
  readonly number: number;
  readonly #setup: CpuSetup;
  readonly #ring: () => RingSource;
  readonly #listener: CpuListener;
  readonly #log: Logger;
  readonly #resources: CpuResources;
  readonly #worker: CpuWorker;
  #model: CpuModel = newCpu;
  #timer: NodeJS.Timeout | undefined;
  /** The errno's name once the outlet is dead for good; a port may come back. */
  #outletDead: string | undefined;

  /** @param ring returns the ring's source; called at each opening, because the instance may have changed */
  constructor(number: number, setup: CpuSetup, ring: () => RingSource, listener: CpuListener) {
    this.number = number;
    this.#setup = setup;
    this.#ring = ring;
    this.#listener = listener;
    this.#log = setup.log.child({ cpu: number });
    this.#resources = new CpuResources(number, setup.outlets, setup.pipeBytes);
    this.#worker = new CpuWorker(number, setup, this.#resources, this.#log, {
      state: () => this.state,
      dispatch: (event) => this.#dispatch(event),
      heard: (message) => this.#heard(message),
    });
  }

  get state(): CpuModel['state']['kind'] {
    return this.#model.state.kind;
  }

  /** The reason why this CPU is waiting; undefined when it is not. */
  get waitReason(): string | undefined {
    return this.#model.state.kind === 'waiting' ? this.#model.state.reason : undefined;
  }

  get pid(): number | undefined {
    return this.#worker.pid;
  }

  get restarts(): number {
    return this.#worker.restarts;
  }

  get account(): CpuAccount {
    return this.#resources.account;
  }

  /** Bytes that were taken from the ring and have not reached the port yet. */
  get heldBytes(): number {
    return this.#resources.heldBytes;
  }

  /** Page size of the ring that was opened last; 0 before the first. */
  get pageBytes(): number {
    return this.#resources.pageBytes;
  }

  open(): void {
    this.#worker.startOver();
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
    this.#worker.kill();
  }

  /** Once a second: kills a worker whose heartbeat stopped. */
  tick(): void {
    this.#worker.tick();
  }

  /** Closes everything; a remaining worker sees its channel close, empties the pipe and exits. */
  dispose(): void {
    clearTimeout(this.#timer);
    this.#worker.forsake();
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
        return this.#worker.queueFork();
      case 'send-start':
        return this.#worker.send({ kind: 'start' });
      case 'send-stop':
        return this.#worker.send({ kind: 'stop', id: effect.id, maxPages: this.#ringPages() });
      case 'send-leave':
        return this.#worker.send({ kind: 'leave' });
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
      if (this.#outletDead !== undefined) {
        const what = this.#setup.outlets.outlet === 'file' ? 'its file' : 'stdout';
        throw new Failure(exitCode.lost, `${what} accepts no more pages: ${this.#outletDead}`);
      }
      this.#resources.open(this.#ring());
    } catch (error) {
      if (!(error instanceof Failure || error instanceof NativeError)) throw error;
      const remedy = error instanceof Failure && error.remedy !== '' ? `; ${error.remedy}` : '';
      const why = error instanceof PortAway ? error.why : error.message;
      event = { kind: 'unavailable', why, reason: `${error.message}${remedy}` };
    }
    this.#dispatch(event);
  }

  #heard(message: ToSupervisor): void {
    switch (message.kind) {
      case 'loaded':
        return;
      case 'ready':
        if (!message.pinned)
          this.#log.warn('CPU is offline: reading its ring from another CPU until it is back');
        return this.#dispatch({ kind: 'ready' });
      case 'stopped':
        if (!message.flushed)
          this.#log.error({ heldBytes: message.heldBytes }, 'port is full: stopped with pages left');
        return this.#dispatch({ kind: 'stopped', id: message.id, flushed: message.flushed });
      case 'gone':
        // what became of a file is said when it is opened again
        this.#log[this.#setup.outlets.outlet === 'file' ? 'info' : 'warn'](
          { what: message.what, code: message.code },
          `${message.what} is gone`,
        );
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

  #ringPages(): number {
    return this.#ring().ringPages(this.number);
  }
}
