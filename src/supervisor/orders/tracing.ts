import type { Logger } from 'pino';
import type { CpuBaseline, PerCpu, RingStats, TraceRequest, TraceSource } from '../../protocol/control.ts';
import type { Applied, RestoreFailure } from '../../tracefs/settings/applied.ts';
import { applySettings } from '../../tracefs/settings/apply.ts';
import { errorCode } from '../../base/error-code.ts';
import { ensureInstance, type Instance, removeInstance } from '../../tracefs/instance.ts';
import { checkSettings, wantsTracing } from '../../tracefs/settings/settings.ts';
import { locateTracefs } from '../../tracefs/locate.ts';
import { SavedNames, thisMachine } from '../../tracefs/metadata/task-names.ts';
import { leaveOff } from '../../tracefs/settings/top-level-lines.ts';
import { Tracefs } from '../../tracefs/tracefs.ts';
import type { StopReport, Supervisor } from '../workers/supervisor.ts';

/** The results of a stop, by CPU. */
export interface TracingReport {
  readonly cpus: StopReport;
  /** The rings' statistics after the flush; null where they cannot be read. */
  readonly stats: ReadonlyMap<number, RingStats | null>;
  /** The source of the pages; by now the clock and the instance may have been removed. */
  readonly source: TraceSource;
}

/** The settings of one start, applied until its stop. */
interface Request {
  readonly applied: Applied;
  readonly tracefs: Tracefs;
  readonly instance: Instance | undefined;
  /** The rings' counts before the start; undefined for rings that it created or emptied. */
  readonly counted: RingCounts;
  /** Whether the settings are kept after the stop. */
  readonly keep: boolean;
}

export type RingCounts = ReadonlyMap<number, RingStats | null>;

/** Starts and stops workers together with the tracefs settings of an order. One call at a time. */
export class Tracing {
  readonly #supervisor: Supervisor;
  readonly #own: Tracefs;
  readonly #log: Logger;
  #request: Request | undefined;
  #flushing = false;
  readonly #names: SavedNames | undefined;
  #source: TraceSource;

  /**
   * @param own the agent's own instance, used when no order names another
   * @param saveNames whether to make the kernel save the names of more tasks, which makes it forget all earlier ones
   */
  constructor(supervisor: Supervisor, own: Tracefs, saveNames: boolean, log: Logger) {
    this.#supervisor = supervisor;
    this.#own = own;
    this.#log = log;
    this.#names = saveNames ? new SavedNames(new Tracefs(own.root)) : undefined;
    this.#source = sourceOf(own);
  }

  /** The current instance. */
  get tracefs(): Tracefs {
    return this.#request?.tracefs ?? this.#own;
  }

  /** The source of the pages; after the instance was removed, its last state. */
  get source(): TraceSource {
    try {
      this.#source = sourceOf(this.tracefs);
    } catch (error) {
      if (errorCode(error) === '') throw error;
    }
    return this.#source;
  }

  /**
   * Whether a flush is running that a plain start may interrupt, because the rings stay the same. A flush after which
   * settings are restored has to finish first: until they are restored, a start would read rings that are not its own.
   */
  get yields(): boolean {
    return this.#flushing && this.#request === undefined;
  }

  /** Checks that tracefs is still usable: a kernel may be locked down later. @throws Failure that names the cause */
  mustBeOpen(): void {
    locateTracefs(this.#own.root);
  }

  /**
   * Resolves when every worker that can run is running. With a request, a running trace is stopped first and its
   * settings are restored.
   * @returns each CPU's counts that belong to earlier traces
   * @throws SettingsError or Failure; then nothing of the request is applied
   */
  async start(wish?: TraceRequest): Promise<PerCpu<CpuBaseline>> {
    this.mustBeOpen();
    if (wish !== undefined) {
      // Checked at the top level because the requested instance may not exist yet. It will have the same events and
      // clocks. A tracer that instances do not have is rejected when the settings are applied.
      checkSettings(new Tracefs(this.#own.root), wish);
      if (this.#supervisor.state !== 'stopped' || this.#request !== undefined) await this.stop();
      await this.#alter(wish);
    }
    const ringKb = this.tracefs.expandRings();
    if (ringKb !== undefined) this.#log.info({ ringKb }, 'expanded rings to their full size');
    await this.#reopenResized();
    const baseline = this.#baseline();
    await this.#supervisor.start();
    this.#log.info('started');
    return baseline;
  }

  /** Stops what fills the rings, empties them, reads their statistics and restores everything. */
  async stop(): Promise<TracingReport> {
    const request = this.#request;
    if (request !== undefined)
      this.#complain(request.keep ? leaveOff(request.tracefs) : request.applied.quiesce());
    this.#flushing = true;
    const cpus = await this.#supervisor.stop().finally(() => {
      this.#flushing = false;
    });
    const stats = this.#countsOf(this.tracefs);
    const { source } = this;
    this.#sayStopped(cpus, stats);
    await this.#putBack();
    return { cpus, stats, source };
  }

  /** Restores everything at once, without waiting, because the program is about to end. */
  abandon(): void {
    const request = this.#request;
    if (request !== undefined)
      this.#complain(request.keep ? leaveOff(request.tracefs) : request.applied.restore());
    this.#names?.putBack();
  }

  /** Opens the rings again if their sub-buffer size has changed: workers read pages of the size that they were told. */
  async #reopenResized(): Promise<void> {
    const pageBytes = this.tracefs.pageBytes();
    const opened = this.#supervisor.cpus.some((cpu) => cpu.pageBytes !== 0 && cpu.pageBytes !== pageBytes);
    if (!opened || this.#supervisor.state !== 'stopped') return;
    await this.#supervisor.close();
    await this.#supervisor.open(this.tracefs);
  }

  #countsOf(tracefs: Tracefs): RingCounts {
    return ringCountsOf(
      tracefs,
      this.#supervisor.cpus.map(({ number }) => number),
    );
  }

  #baseline(): PerCpu<CpuBaseline> {
    const counted = this.#request?.counted ?? this.#countsOf(this.tracefs);
    return Object.fromEntries(
      this.#supervisor.cpus.map(({ number, account, heldBytes }): [string, CpuBaseline] => [
        String(number),
        { bytesOut: account.bytesOut, bytesHeld: heldBytes, ring: counted.get(number) ?? null },
      ]),
    );
  }

  async #alter(wish: TraceRequest): Promise<void> {
    const { root } = this.#own;
    const instance = wish.instance === undefined ? undefined : ensureInstance(root, wish.instance);
    const tracefs = instance === undefined ? this.#own : new Tracefs(root, instance.name);
    // Kept until the agent ends: the host requests names after tracing has stopped.
    if (wantsTracing(wish)) this.#names?.raise(thisMachine());
    const elsewhere = tracefs.dir !== this.#own.dir;
    const reopen = elsewhere || wish.tracer !== undefined || wish.subBufferKb !== undefined;
    if (reopen) await this.#supervisor.close();
    try {
      const before = this.#countsOf(tracefs);
      const applied = applySettings(tracefs, wish);
      const after = this.#countsOf(tracefs);
      this.#request = {
        applied,
        tracefs,
        instance,
        counted: withoutEmptied(before, after),
        keep: wish.keep ?? false,
      };
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
    const { keep } = request;
    const reopen = (request.applied.needsClosedRings && !keep) || request.tracefs.dir !== this.#own.dir;
    if (reopen) await this.#supervisor.close();
    if (!keep) this.#complain(request.applied.restore());
    this.#request = undefined;
    try {
      if (request.instance?.made === true && !keep)
        await removeInstance(request.tracefs.root, request.instance.name);
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
      this.#log.error({ file, errno }, 'cannot restore a tracefs setting');
  }
}

/** `before`, but with counts of 0 for rings that were emptied since: a new clock or tracer empties them. */
function withoutEmptied(before: RingCounts, after: RingCounts): RingCounts {
  return new Map(
    [...before].map(([cpu, old]) => {
      const now = after.get(cpu) ?? null;
      if (old === null || now === null) return [cpu, null];
      const emptied = countsThatGrow.some((count) => now[count] < old[count]);
      return [cpu, emptied || seenIn(now) < seenIn(old) ? noneCounted : old];
    }),
  );
}

const countsThatGrow = ['overrun', 'commitOverrun', 'droppedEvents', 'readEvents'] as const;
const noneCounted: RingStats = {
  entries: 0,
  overrun: 0,
  commitOverrun: 0,
  bytes: 0,
  droppedEvents: 0,
  readEvents: 0,
};

/**
 * The number of all events ever in the ring. Those lost when a ring shrinks count too: the kernel adds them to overrun.
 */
function seenIn({ entries, overrun, readEvents }: RingStats): number {
  return entries + overrun + readEvents;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function sourceOf(tracefs: Tracefs): TraceSource {
  return {
    instance: tracefs.instance ?? null,
    // A kernel that marks no clock uses the default clock.
    clock: tracefs.clocks().current ?? 'local',
    pageBytes: tracefs.pageBytes(),
  };
}

export function ringCountsOf(tracefs: Tracefs, cpus: readonly number[]): RingCounts {
  return new Map(cpus.map((cpu) => [cpu, statsOf(tracefs, cpu)]));
}

export function statsOf(tracefs: Tracefs, cpu: number): RingStats | null {
  try {
    const { entries, overrun, commitOverrun, bytes, droppedEvents, readEvents } = tracefs.stats(cpu);
    return { entries, overrun, commitOverrun, bytes, droppedEvents, readEvents };
  } catch {
    return null; // a CPU that was never online has no statistics
  }
}
