import type { EventBatch } from '../../trace/events/event-batches.ts';
import type { TraceEvent } from '../../trace/events/trace-event.ts';
import { clockUnit } from '../../trace/metadata/clock-unit.ts';
import type { EventFilter, Trace } from '../../trace/open.ts';
import { TextBuffer } from '../text/text-buffer.ts';
import type { LineOptions } from './options.ts';
import { TracePrinter } from './trace-printer.ts';

/** One file of a report. */
export interface ReportInput {
  readonly trace: Trace;
  /** Name before each line, if the report has several files. */
  readonly label: string | undefined;
  /** Added to all times, in units of the clock, as `--ts-offset`. */
  readonly timeOffset: bigint;
  /** Frequency of the clock in Hz, to show its times as seconds; undefined for clocks that count nanoseconds. */
  readonly clockHz: number | undefined;
}

export interface ReportOptions extends LineOptions {
  readonly filter: EventFilter;
  /** `-I`, `-S`: without events in hard or soft interrupts: bits of the latency flags. */
  readonly withoutFlags: number;
  /** `--align-ts`: times since the first event. */
  readonly alignTimes: boolean;
}

/** Takes text; the bytes are valid until the promise is resolved. */
export type WriteText = (bytes: Uint8Array) => Promise<void>;

/** How much text to collect before it is written. */
const flushBytes = 128 << 10;

/**
 * Prints events of all inputs in the order of their times, as trace-cmd report does. Uses bounded memory for any file
 * size. Throws Failure.
 */
export async function report(
  inputs: readonly ReportInput[],
  options: ReportOptions,
  write: WriteText,
  onUnprintable: (name: string, reason: string) => void,
): Promise<void> {
  const streams = streamsOf(inputs, options, onUnprintable);
  const out = new TextBuffer(flushBytes * 2);
  const flush = async (): Promise<void> => {
    if (out.length === 0) return;
    await write(out.bytes.subarray(0, out.length));
    out.length = 0;
  };
  try {
    for (const { input, isTop, label } of streams) {
      if (!isTop) continue;
      // trace-cmd finds instances only after this line
      if (inputs.length > 1) out.string(label);
      out.string(`cpus=${input.trace.source.cpuCount}\n`);
    }
    for (const stream of streams) await stream.start();
    if (options.alignTimes) alignTimes(streams);
    for (;;) {
      const stream = earliest(streams);
      if (stream === undefined) break;
      const event = stream.event!;
      if (!stream.isWanted(event)) {
        if (!stream.next()) await stream.load();
        continue;
      }
      out.string(stream.label);
      writeLost(event, out);
      const entry = stream.printer.print(event, stream.isAdjusted ? stream.time : undefined, out);
      if (!stream.next()) await stream.load();
      if (entry !== undefined && stream.printer.complete(entry, stream.event, out) && !stream.next())
        await stream.load();
      if (out.length >= flushBytes) await flush();
    }
    await flush();
  } finally {
    for (const stream of streams) await stream.close();
  }
}

function writeLost({ lost, cpu }: TraceEvent, out: TextBuffer): void {
  if (lost === undefined || lost === 0n) return;
  out.string(lost === 'unknown' ? `CPU:${cpu} [EVENTS DROPPED]\n` : `CPU:${cpu} [${lost} EVENTS DROPPED]\n`);
}

function earliest(streams: readonly Stream[]): Stream | undefined {
  const [only, ...more] = streams;
  if (more.length === 0) return only?.event === undefined ? undefined : only;
  let first: Stream | undefined;
  for (const stream of streams)
    if (stream.event !== undefined && (first === undefined || stream.time < first.time)) first = stream;
  return first;
}

function alignTimes(streams: readonly Stream[]): void {
  const times = streams.filter(({ event }) => event !== undefined).map(({ time }) => time);
  const [first, ...rest] = times;
  if (first === undefined) return;
  const least = rest.reduce((a, b) => (b < a ? b : a), first);
  for (const stream of streams) stream.align(least);
}

/** Top levels first, then the instances, each group in the order of the inputs. */
function streamsOf(
  inputs: readonly ReportInput[],
  options: ReportOptions,
  onUnprintable: (name: string, reason: string) => void,
): Stream[] {
  const tops: Stream[] = [];
  const instances: Stream[] = [];
  const severalFiles = inputs.length > 1;
  const names = inputs.flatMap(({ trace, label }) => [
    ...(severalFiles && label !== undefined ? [label] : []),
    ...trace.buffers.map(({ name }) => name).filter((name) => name !== ''),
  ]);
  const width = Math.max(0, ...names.map((name) => name.length));
  const hasLabels = severalFiles || inputs.some(({ trace }) => trace.buffers.some(({ name }) => name !== ''));
  const labelOf = (name: string): string =>
    hasLabels ? (name === '' ? ' '.repeat(width + 2) : `${name.padStart(width)}: `) : '';
  for (const input of inputs) {
    const { trace, label, clockHz } = input;
    const isNs =
      clockHz !== undefined || trace.buffers.some(({ name, clock }) => name === '' && isSeconds(clock));
    const printer = new TracePrinter(trace, options, isNs);
    printer.onUnprintable = onUnprintable;
    for (const { name } of trace.buffers) {
      const isTop = name === '';
      const stream = new Stream(
        input,
        printer,
        name,
        labelOf(isTop ? (severalFiles ? (label ?? '') : '') : name),
        options,
      );
      (isTop ? tops : instances).push(stream);
    }
  }
  return [...tops, ...instances];
}

/** Clocks whose times the report shows in seconds; no name: files of old versions, which count nanoseconds. */
function isSeconds(clock: string): boolean {
  return clock === '' || clockUnit(clock) === 'ns';
}

/** The events of one buffer, one at a time. */
class Stream {
  readonly input: ReportInput;
  readonly printer: TracePrinter;
  readonly label: string;
  readonly isTop: boolean;
  /** The current event; undefined at the end. */
  event: TraceEvent | undefined;
  readonly #batches: AsyncGenerator<EventBatch, void, undefined>;
  readonly #withoutFlags: number;
  readonly #nsPerTick: number | undefined;
  #offset: bigint;
  #events: Iterator<TraceEvent> | undefined;

  constructor(
    input: ReportInput,
    printer: TracePrinter,
    buffer: string,
    label: string,
    options: ReportOptions,
  ) {
    this.input = input;
    this.printer = printer;
    this.label = label;
    this.isTop = buffer === '';
    this.#batches = input.trace.markedEvents({ ...options.filter, buffers: [buffer] });
    this.#withoutFlags = options.withoutFlags;
    this.#nsPerTick = input.clockHz === undefined ? undefined : 1e9 / input.clockHz;
    this.#offset = options.rawTimes ? 0n : input.timeOffset + input.trace.source.timeOffset;
  }

  async start(): Promise<void> {
    await this.load();
  }

  /** Steps to the next event. @returns false if it must be loaded first */
  next(): boolean {
    const step = this.#events?.next();
    if (step === undefined || step.done === true) return false;
    this.event = step.value;
    return true;
  }

  isWanted({ passed, record }: TraceEvent): boolean {
    if (!passed) return false;
    return this.#withoutFlags === 0 || (this.printer.latencyFlags.flags(record) & this.#withoutFlags) === 0;
  }

  /** Reads on up to the next event, or to the end. */
  async load(): Promise<void> {
    for (;;) {
      const batch = await this.#batches.next();
      if (batch.done === true) {
        this.event = undefined;
        return;
      }
      this.#events = batch.value[Symbol.iterator]();
      if (this.next()) return;
    }
  }

  /** Whether the report shows other times than the events'. */
  get isAdjusted(): boolean {
    return this.#offset !== 0n || this.#nsPerTick !== undefined;
  }

  /** Time of the current event with all corrections. */
  get time(): bigint {
    let time = this.event!.timestamp;
    if (this.#nsPerTick !== undefined) time = BigInt(Math.trunc(Number(time) * this.#nsPerTick));
    return this.#offset === 0n ? time : BigInt.asUintN(64, time + this.#offset);
  }

  /** Counts times from `first` on. */
  align(first: bigint): void {
    this.#offset -= first;
  }

  async close(): Promise<void> {
    await this.#batches.return();
  }
}
