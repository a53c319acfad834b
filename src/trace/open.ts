import { exitCode, Failure } from '../base/failure.ts';
import { nearNames } from '../base/near-names.ts';
import { quoted } from '../base/quoted.ts';
import { CpuEvents } from './events/cpu-events.ts';
import { type EventBatch, eventBatches, type EventStream } from './events/event-batches.ts';
import { EventNames } from './events/trace-event.ts';
import type { EventFormat } from './format/event-format.ts';
import { clockUnit } from './metadata/clock-unit.ts';
import { taskNamesOf } from './metadata/task-lines.ts';
import { openSource } from './source/open-source.ts';
import { type ReadTally, withTally } from './source/read-tally.ts';
import type { TraceSource } from './source/source.ts';

/** Which events to read; all by default. */
export interface EventFilter {
  /** CPUs of the guest. */
  readonly cpus?: Iterable<number>;
  /** Events as `system:event`, or `system` for all its events. */
  readonly events?: Iterable<string>;
  /** Time range, inclusive, in the unit of the trace clock. */
  readonly from?: bigint;
  readonly to?: bigint;
  /** Names of tracing instances; empty for the top level. */
  readonly buffers?: Iterable<string>;
}

/** One tracing instance of a trace. */
export interface TraceBuffer {
  /** Empty for the top level. */
  readonly name: string;
  /** Name of the trace clock; empty if unknown. */
  readonly clock: string;
  /** Unit of all times of this buffer; null if its clock does not count time, or is unknown. */
  readonly timeUnit: 'ns' | null;
  /** CPUs that have pages, ascending. */
  readonly cpus: readonly number[];
}

/** Read-ahead of all CPUs together: 1 MiB each for few CPUs, less for many. */
const readAheadBytes = 32 << 20;
const mostBlockBytes = 1 << 20;

/**
 * Opens a trace.dat (version 6 or 7) or a recording directory, finished or not. Reads the metadata; iterating `events`
 * reads the pages. The caller closes the trace. Throws Failure that names the path.
 */
export async function openTrace(path: string): Promise<Trace> {
  return new Trace(await openSource(path));
}

/** A trace that is open for reading. Texts come from the guest and may contain control characters. */
export class Trace {
  readonly path: string;
  readonly kind: 'trace.dat' | 'recording';
  /** `uname` of the guest; empty if unknown. */
  readonly uname: string;
  readonly buffers: readonly TraceBuffer[];
  /** How much `events` has read. @internal */
  readonly read: ReadTally;
  readonly #source: TraceSource;
  readonly #names: EventNames;

  /** @internal */
  constructor(source: TraceSource) {
    this.path = source.path;
    this.kind = source.kind;
    this.uname = source.uname;
    this.buffers = source.buffers.map(({ name, clock, cpus }) => ({
      name,
      clock,
      timeUnit: clockUnit(clock),
      cpus: cpus.filter(({ dataBytes }) => dataBytes > 0).map(({ cpu }) => cpu),
    }));
    ({ source: this.#source, tally: this.read } = withTally(source));
    this.#names = new EventNames(source.catalogue, taskNamesOf(source.taskNames));
  }

  /** What the trace is read from. @internal */
  get source(): TraceSource {
    return this.#source;
  }

  /** Formats of all event types, in no particular order. */
  formats(): EventFormat[] {
    return [...this.#source.catalogue.formats()];
  }

  /** The format of `system:event`; undefined if the trace has none. */
  format(name: string): EventFormat | undefined {
    return this.#source.catalogue.byName(name);
  }

  /** The name of a task; undefined if the guest did not keep it. */
  task(pid: number): string | undefined {
    return this.#names.task(pid);
  }

  /**
   * All events in time order across CPUs, in batches. Uses bounded memory for any trace size. Timestamps of buffers
   * with different clocks are compared as plain numbers. May be called several times, also concurrently.
   *
   *     for await (const batch of trace.events())
   *       for (const event of batch) use(event.timestamp, event.name);
   *
   * Throws Failure: at once if the filter names something that the trace does not have, later for unreadable pages.
   */
  events(filter: EventFilter = {}): AsyncGenerator<EventBatch, void, undefined> {
    const { layout, catalogue } = this.#source;
    const { from, to } = filter;
    const ids = filter.events === undefined ? undefined : this.#idsOf(filter.events);
    const cpus = filter.cpus === undefined ? undefined : new Set(filter.cpus);
    const buffers = filter.buffers === undefined ? undefined : new Set(filter.buffers);
    for (const name of buffers ?? []) this.#checkBuffer(name);
    const wanted = this.#source.buffers
      .filter(({ name }) => buffers?.has(name) ?? true)
      .flatMap((buffer) => buffer.cpus.map((cpu) => ({ buffer: buffer.name, cpu })))
      .filter(({ cpu }) => cpu.dataBytes > 0 && (cpus?.has(cpu.cpu) ?? true));
    const blockBytes = blockBytesFor(wanted.length, layout.pageBytes);
    const streams = wanted.map(
      ({ buffer, cpu }): EventStream => ({
        events: new CpuEvents(cpu, layout, catalogue.common, { from, to, ids }, blockBytes),
        buffer,
      }),
    );
    return eventBatches(streams, this.#names);
  }

  /** Closes the file. Iterations still running fail. */
  close(): Promise<void> {
    return this.#source.close();
  }

  #idsOf(names: Iterable<string>): Set<number> {
    const formats = this.formats();
    const ids = new Set<number>();
    for (const name of names) {
      const found = formats.filter(({ fullName, system }) => fullName === name || system === name);
      if (found.length === 0) throw this.#unknownEvent(name, formats);
      for (const { id } of found) ids.add(id);
    }
    return ids;
  }

  #unknownEvent(name: string, formats: readonly EventFormat[]): Failure {
    const near = nearNames(name, [...new Set(formats.flatMap(({ fullName, system }) => [fullName, system]))]);
    const remedy =
      near.length > 0 ? `did you mean ${near.map(quoted).join(' or ')}?` : 'give system:event or a system';
    return new Failure(exitCode.usage, `${this.path} has no event ${quoted(name)}`, remedy);
  }

  #checkBuffer(name: string): void {
    const names = this.buffers.map((buffer) => buffer.name);
    if (names.includes(name)) return;
    throw new Failure(
      exitCode.usage,
      `${this.path} has no buffer ${quoted(name)}`,
      `it has ${names.map(quoted).join(', ')}`,
    );
  }
}

/** A power of two, at least one page. */
function blockBytesFor(streams: number, pageBytes: number): number {
  const share = readAheadBytes / Math.max(1, streams);
  return Math.max(pageBytes, Math.min(mostBlockBytes, 2 ** Math.floor(Math.log2(share))));
}
