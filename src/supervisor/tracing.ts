import type { Logger } from 'pino';
import type { RingStats, TraceRequest, TraceSource } from '../protocol/control.ts';
import { type Applied, applySettings, type RestoreFailure } from '../tracefs/applied.ts';
import { errorCode } from '../error-code.ts';
import { ensureInstance, type Instance, removeInstance } from '../tracefs/instance.ts';
import { checkSettings, wantsTracing } from '../tracefs/settings.ts';
import { SavedNames, thisMachine } from '../tracefs/task-names.ts';
import { Tracefs } from '../tracefs/tracefs.ts';
import type { StopReport, Supervisor } from './supervisor.ts';

/** What a stop found out, by CPU. */
export interface TracingReport {
  readonly cpus: StopReport;
  /** The rings' own statistics, read behind the flush; null where they cannot be. */
  readonly stats: ReadonlyMap<number, RingStats | null>;
  /** What the pages are from; its clock and its instance may be gone now. */
  readonly source: TraceSource;
}

/** Settings of one start, in force until the stop that belongs to it. */
interface Request {
  readonly applied: Applied;
  readonly tracefs: Tracefs;
  readonly instance: Instance | undefined;
}

/** Starts and stops workers together with the tracefs settings that a host asks for. One call at a time. */
export class Tracing {
  readonly #supervisor: Supervisor;
  readonly #own: Tracefs;
  readonly #log: Logger;
  #request: Request | undefined;
  #flushing = false;
  readonly #names: SavedNames;
  #source: TraceSource;

  /** @param own the agent's own instance, read whenever no order names another */
  constructor(supervisor: Supervisor, own: Tracefs, log: Logger) {
    this.#supervisor = supervisor;
    this.#own = own;
    this.#log = log;
    this.#names = new SavedNames(new Tracefs(own.root));
    this.#source = sourceOf(own);
  }

  /** The instance that is read now. */
  get tracefs(): Tracefs {
    return this.#request?.tracefs ?? this.#own;
  }

  /** What is read now; as it last was, once its instance is taken away. */
  get source(): TraceSource {
    try {
      this.#source = sourceOf(this.tracefs);
    } catch (error) {
      if (errorCode(error) === '') throw error;
    }
    return this.#source;
  }

  /**
   * Whether a flush is under way that a plain start may cut short: the rings stay the same ones. One with settings to
   * put back is worth its wait, and until they are, a start would move what is in other rings.
   */
  get yields(): boolean {
    return this.#flushing && this.#request === undefined;
  }

  /**
   * Resolves when every worker that can run does. With a request, what runs is stopped first and its settings are put
   * back.
   * @throws SettingsError or Failure; then nothing of the request is in force
   */
  async start(wish?: TraceRequest): Promise<void> {
    if (wish !== undefined) {
      // An instance that is yet to be made has the events, tracers and clocks of the top level.
      checkSettings(new Tracefs(this.#own.root), wish);
      if (this.#supervisor.state !== 'stopped' || this.#request !== undefined) await this.stop();
      await this.#alter(wish);
    }
    const ringKb = this.tracefs.expandRings();
    if (ringKb !== undefined) this.#log.info({ ringKb }, 'rings given their full size');
    await this.#supervisor.start();
    this.#log.info('started');
  }

  /** Ends what fills the rings, empties them, reads their statistics and puts everything back. */
  async stop(): Promise<TracingReport> {
    this.#complain(this.#request?.applied.quiesce() ?? []);
    this.#flushing = true;
    const cpus = await this.#supervisor.stop().finally(() => {
      this.#flushing = false;
    });
    const stats = new Map(this.#supervisor.cpus.map(({ number }) => [number, statsOf(this.tracefs, number)]));
    const { source } = this;
    this.#sayStopped(cpus, stats);
    await this.#putBack();
    return { cpus, stats, source };
  }

  /** Puts everything back at once, without waiting for anything: for a program that ends. */
  abandon(): void {
    this.#complain(this.#request?.applied.restore() ?? []);
    this.#names.putBack();
  }

  async #alter(wish: TraceRequest): Promise<void> {
    const { root } = this.#own;
    const instance = wish.instance === undefined ? undefined : ensureInstance(root, wish.instance);
    const tracefs = instance === undefined ? this.#own : new Tracefs(root, instance.name);
    // Stays until the agent ends: the host asks for names when tracing has stopped.
    if (wantsTracing(wish)) this.#names.raise(thisMachine());
    const elsewhere = tracefs.dir !== this.#own.dir;
    const reopen = elsewhere || wish.tracer !== undefined;
    if (reopen) await this.#supervisor.close();
    try {
      this.#request = { applied: applySettings(tracefs, wish), tracefs, instance };
    } catch (error) {
      if (instance?.made) await removeInstance(root, instance.name);
      throw error;
    } finally {
      if (reopen) await this.#supervisor.open(this.tracefs);
    }
  }

  async #putBack(): Promise<void> {
    const request = this.#request;
    if (request === undefined) return;
    const reopen = request.applied.needsClosedRings || request.tracefs.dir !== this.#own.dir;
    if (reopen) await this.#supervisor.close();
    this.#complain(request.applied.restore());
    this.#request = undefined;
    try {
      if (request.instance?.made) await removeInstance(request.tracefs.root, request.instance.name);
    } finally {
      if (reopen) await this.#supervisor.open(this.#own);
    }
  }

  #sayStopped(cpus: StopReport, stats: TracingReport['stats']): void {
    const all = [...cpus.values()];
    if (all.every(({ outcome }) => outcome === 'idle')) return;
    this.#log.info(
      {
        bytesOut: sum(all.map(({ ledger }) => ledger.bytesOut)),
        bytesHeld: sum(all.map(({ ledger }) => ledger.bytesHeld)),
        bytesLost: sum(all.map(({ ledger }) => ledger.bytesLost)),
        overrun: sum([...stats.values()].map((ring) => ring?.overrun ?? 0)),
      },
      'stopped',
    );
  }

  #complain(failures: readonly RestoreFailure[]): void {
    for (const { file, errno } of failures)
      this.#log.error({ file, errno }, 'tracefs setting is not put back');
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function sourceOf(tracefs: Tracefs): TraceSource {
  return {
    instance: tracefs.instance ?? null,
    // A kernel that marks none has the one clock that every kernel starts with.
    clock: tracefs.clocks().current ?? 'local',
    pageBytes: tracefs.pageBytes(),
  };
}

export function statsOf(tracefs: Tracefs, cpu: number): RingStats | null {
  try {
    const { entries, overrun, commitOverrun, bytes, droppedEvents, readEvents } = tracefs.stats(cpu);
    return { entries, overrun, commitOverrun, bytes, droppedEvents, readEvents };
  } catch {
    return null; // a CPU that was never online has none
  }
}
