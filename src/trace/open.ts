import { exitCode, Failure } from '../base/failure.ts';
import { quoted } from '../base/quoted.ts';
import { choiceOf, type EventFilter } from './event-filter.ts';
import {
  CpuEvents,
  type CpuFilter,
  type CpuPart,
  type PartWatch,
  type TimeOrigin,
} from './events/cpu-events.ts';
import { type EventBatch, eventBatches, type EventStream } from './events/event-batches.ts';
import { liveBatches } from './events/live-batches.ts';
import { firstAndLast } from './events/time-range.ts';
import { type ShiftedTime, shiftedTimeOf } from './events/shifted-time.ts';
import { EventNames } from './events/trace-event.ts';
import type { EventChoice } from './filter/event-choice.ts';
import type { EventFormat } from './format/event-format.ts';
import { clockUnit } from './metadata/clock-unit.ts';
import { taskNamesOf } from './metadata/task-lines.ts';
import { FollowedCpu, RecordingEnd, type SkippedPages } from './source/follow-recording.ts';
import { openSource } from './source/open-source.ts';
import { type ReadTally, withTally } from './source/read-tally.ts';
import type { SourceCpu, TraceSource } from './source/source.ts';

export type { EventFilter } from './event-filter.ts';

/** One tracing instance of a trace. */
export interface TraceBuffer {
  /** Name of the tracing instance; empty for the top level. */
  readonly name: string;
  /** Name of the trace clock; empty if unknown. */
  readonly clock: string;
  /** Unit of all times of this buffer; null if its clock does not count time, or is unknown. */
  readonly timeUnit: 'ns' | null;
  /** CPUs that have pages, ascending. */
  readonly cpus: readonly number[];
}

/** Times by a buffer's clock. */
export interface TimeSpan {
  readonly first: bigint;
  readonly last: bigint;
}

/** The parts of a filter that no event of a trace can match. */
export interface Unmatched {
  /** CPUs that the trace does not have. */
  readonly cpus: readonly number[];
  /** Times of the first and the last event, if none is within the filter's times; else undefined. */
  readonly times: TimeSpan | undefined;
}

/** How to read the CPUs of a trace. */
interface StreamSettings {
  readonly marks?: boolean;
  /** Shared by all streams that are merged. */
  readonly origin: TimeOrigin;
  readonly machine?: string;
  /** Number of machines that are read together and share the memory. */
  readonly machines?: number;
  readonly part?: TracePart | undefined;
}

/** A part of a trace's events: those from `from` on and before `until`, in the order of the whole trace. @internal */
export interface TracePart {
  readonly from: bigint | undefined;
  readonly until: bigint | undefined;
  /** For each CPU, in the order of `pagesOf`, the step at which to begin reading. */
  readonly steps: readonly number[];
  readonly watch: PartWatch;
  /** Memory for the CPUs' blocks, which may be used again once the part has been read. */
  readonly blocks: Buffer[];
  /** Each CPU that is read is added here, for its `begin` and `end`. */
  readonly cpus: CpuEvents[];
}

/** The pages of a CPU of a buffer. @internal */
export interface BufferPages {
  readonly buffer: string;
  readonly cpu: SourceCpu;
}

/** Read-ahead of all CPUs together: 1 MiB each for few CPUs, less for many. */
const readAheadBytes = 32 << 20;
const mostBlockBytes = 1 << 20;
/** Limit for a block when a part is read; smaller, because each part has its own blocks and reads less. */
const partBlockBytes = 128 << 10;

const followHoldMs = 1000;
const followPollMs = 100;

/**
 * Opens a trace.dat (version 6 or 7) or a recording directory, finished or not. Reads the metadata; iterating `events`
 * reads the pages. The caller closes the trace. Throws Failure that names the path.
 */
export async function openTrace(path: string, settings: TraceSettings = {}): Promise<Trace> {
  return new Trace(await openSource(path), settings);
}

export interface TraceSettings {
  /**
   * Whether to convert the times of a guest that was recorded together with its host to host times, if the file says
   * how (TIME_SHIFT). True by default; false keeps the guest's own times.
   */
  readonly hostTimes?: boolean;
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
  readonly #hostTimes: boolean;
  readonly #tasks: ReadonlyMap<number, string>;
  readonly #names: EventNames;

  /** @internal */
  constructor(source: TraceSource, { hostTimes = true }: TraceSettings = {}) {
    this.#hostTimes = hostTimes;
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
    this.#tasks = taskNamesOf(source.taskNames);
    this.#names = new EventNames(source.catalogue, this.#tasks);
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
    return this.#events(filter, false);
  }

  /**
   * All events of the filter's CPUs, buffers and times; `passed` tells which ones pass the rest of the filter.
   * @internal
   */
  markedEvents(filter: EventFilter, part?: TracePart): AsyncGenerator<EventBatch, void, undefined> {
    return this.#events(filter, true, part);
  }

  /** The pages that are read for a filter. Throws Failure (usage) for an unknown buffer. @internal */
  pagesOf(filter: Pick<EventFilter, 'cpus' | 'buffers'>): readonly BufferPages[] {
    return this.#wanted(filter);
  }

  /**
   * The events of a recording while it is recorded, marked as by `markedEvents`; those that it already has come first.
   * Ends with the recording. Throws Failure, also for a trace that is not a recording.
   * @param skipping if given, pages that cannot be read in time are skipped
   * @internal
   */
  async *follow(
    filter: EventFilter,
    signal?: AbortSignal,
    skipping?: SkippedPages,
  ): AsyncGenerator<EventBatch, void, undefined> {
    const { path, kind, layout, buffers } = this.#source;
    if (kind !== 'recording')
      throw new Failure(exitCode.usage, `${path} is not a recording`, 'only recordings can be followed');
    const end = new RecordingEnd(path);
    const choice = this.#choice(filter);
    const origin: TimeOrigin = { ns: undefined };
    const cpus = filter.cpus && new Set(filter.cpus);
    const files = (buffers[0]?.cpus ?? [])
      .filter(({ cpu }) => cpus?.has(cpu) ?? true)
      .map((source) => ({ source, file: new FollowedCpu(path, source.cpu, layout.pageBytes, skipping) }));
    const streams = files.map(({ source, file }) => ({
      events: this.#cpuEvents(source, { ...filter, choice, marks: true }, origin, mostBlockBytes),
      buffer: '',
      machine: '',
      names: this.#names,
      read: () => file.read(),
    }));
    try {
      const isEnded = (): Promise<boolean> => end.isReached();
      const settings = { holdMs: followHoldMs, pollMs: followPollMs, isEnded, ...(signal && { signal }) };
      yield* liveBatches(streams, origin, settings);
    } finally {
      for (const { file } of files) file.close();
    }
  }

  #events(
    filter: EventFilter,
    marks: boolean,
    part?: TracePart,
  ): AsyncGenerator<EventBatch, void, undefined> {
    const origin: TimeOrigin = { ns: undefined };
    return eventBatches(this.streams(filter, { marks, origin, part }), origin);
  }

  /**
   * The events of each CPU, to be merged. Throws Failure.
   * @internal
   */
  streams(
    filter: EventFilter,
    { marks = false, origin, machine = '', machines = 1, part }: StreamSettings,
  ): EventStream[] {
    const wanted = this.#wanted(filter);
    const mostBytes = part === undefined ? mostBlockBytes : partBlockBytes;
    const blockBytes = blockBytesFor(wanted.length * machines, this.#source.layout.pageBytes, mostBytes);
    const choice = this.#choice(filter);
    const streams = wanted.map(({ buffer, cpu }, index): EventStream => {
      const own = part && cpuPart(part, index, blockBytes);
      const cpuFilter = { ...filter, choice, marks, ...(own && { part: own }) };
      return {
        events: this.#cpuEvents(cpu, cpuFilter, origin, blockBytes),
        buffer,
        machine,
        names: this.#names,
      };
    });
    part?.cpus.push(...streams.map(({ events }) => events));
    return streams;
  }

  #choice(filter: EventFilter): EventChoice | undefined {
    return choiceOf(filter, {
      path: this.path,
      formats: () => this.formats(),
      task: (pid) => this.task(pid),
      tasks: this.#tasks,
    });
  }

  #cpuEvents(
    source: SourceCpu,
    {
      from,
      to,
      choice,
      marks,
      part,
    }: Pick<EventFilter, 'from' | 'to'> & Pick<CpuFilter, 'choice' | 'marks' | 'part'>,
    origin: TimeOrigin,
    blockBytes: number,
  ): CpuEvents {
    const { layout, catalogue } = this.#source;
    const shift = this.#shiftOf(source);
    const filter = { from, to, choice, shift, ...(marks !== undefined && { marks }), ...(part && { part }) };
    return new CpuEvents(source, layout, catalogue.common, filter, origin, blockBytes);
  }

  /**
   * Times of the first and the last event, of the given CPUs and buffers or else of all; undefined without events.
   * Reads only the first and the last pages: if a CPU's clock stepped back, these events may not be the earliest and
   * the latest. Blocks. Throws Failure.
   */
  span(filter: Pick<EventFilter, 'cpus' | 'buffers'> = {}): TimeSpan | undefined {
    const spans = this.#wanted(filter)
      .map(({ cpu }) => {
        const span = firstAndLast(cpu, this.#source.layout);
        const shift = this.#shiftOf(cpu);
        if (span === undefined || shift === undefined) return span;
        return { first: shift.at(span.first), last: shift.at(span.last) };
      })
      .filter((span) => span !== undefined);
    if (spans.length === 0) return undefined;
    return spans.reduce((all, { first, last }) => ({
      first: first < all.first ? first : all.first,
      last: last > all.last ? last : all.last,
    }));
  }

  #shiftOf({ cpu }: SourceCpu): ShiftedTime | undefined {
    const { timeShift } = this.#source;
    return timeShift && this.#hostTimes ? shiftedTimeOf(timeShift, cpu) : undefined;
  }

  /** CPUs of all buffers, with and without pages, ascending. */
  get cpus(): readonly number[] {
    const all = this.#source.buffers.flatMap(({ cpus }) => cpus.map(({ cpu }) => cpu));
    return [...new Set(all)].sort((a, b) => a - b);
  }

  /**
   * What a filter's CPUs and times ask for that the trace does not have; `events` then gives fewer events, or none.
   * Reads the first and last pages if the filter has times, see `span`. Blocks. Throws Failure.
   */
  unmatched({ cpus, from, to, buffers }: Pick<EventFilter, 'cpus' | 'from' | 'to' | 'buffers'>): Unmatched {
    const known = new Set(this.cpus);
    const missing = [...new Set(cpus)].filter((cpu) => !known.has(cpu));
    const hasTimes = from !== undefined || to !== undefined;
    const span = hasTimes ? this.span(buffers === undefined ? {} : { buffers }) : undefined;
    if (span === undefined) return { cpus: missing, times: undefined };
    const begin = from ?? span.first;
    const end = to ?? span.last;
    const isOutside = begin > end || begin > span.last || end < span.first;
    return { cpus: missing, times: isOutside ? span : undefined };
  }

  /** Closes the file. An iteration that is still in progress fails. */
  close(): Promise<void> {
    return this.#source.close();
  }

  /** CPUs with pages. Throws Failure (usage) for an unknown buffer. */
  #wanted(filter: Pick<EventFilter, 'cpus' | 'buffers'>): BufferPages[] {
    const cpus = filter.cpus === undefined ? undefined : new Set(filter.cpus);
    const buffers = filter.buffers === undefined ? undefined : new Set(filter.buffers);
    for (const name of buffers ?? []) this.#checkBuffer(name);
    return this.#source.buffers
      .filter(({ name }) => buffers?.has(name) ?? true)
      .flatMap((buffer) => buffer.cpus.map((cpu) => ({ buffer: buffer.name, cpu })))
      .filter(({ cpu }) => cpu.dataBytes > 0 && (cpus?.has(cpu.cpu) ?? true));
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

function cpuPart(
  { from, until, steps, watch, blocks }: TracePart,
  index: number,
  blockBytes: number,
): CpuPart {
  let block = blocks[index];
  if (block?.length !== blockBytes) block = blocks[index] = Buffer.allocUnsafe(blockBytes);
  return { from, until, step: steps[index] ?? 0, watch, block };
}

/** Size of the blocks for each CPU: a power of two, at least one page. */
function blockBytesFor(streams: number, pageBytes: number, mostBytes: number): number {
  const share = readAheadBytes / Math.max(1, streams);
  return Math.max(pageBytes, Math.min(mostBytes, 2 ** Math.floor(Math.log2(share))));
}
