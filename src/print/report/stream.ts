import type { EventBatch } from '../../trace/events/event-batches.ts';
import type { TraceEvent } from '../../trace/events/trace-event.ts';
import type { EventFilter, TracePart } from '../../trace/open.ts';
import type { PartNotes } from '../text/part-notes.ts';
import type { LineOptions, ReportInput, ReportOptions } from './options.ts';
import { timeUnits } from './time-unit.ts';
import { type LastTime, TracePrinter } from './trace-printer.ts';

/** Called once for each event type that is printed as fields, with the reason. */
export type OnUnprintable = (name: string, reason: string) => void;

/**
 * A printer for each input.
 * @param notes set if only parts of the events are printed
 */
export function printersOf(
  inputs: readonly ReportInput[],
  options: LineOptions,
  onUnprintable: OnUnprintable,
  lastTime: LastTime = { last: 0n },
  notes?: PartNotes,
): TracePrinter[] {
  return inputs.map(({ trace, clockHz }, input) => {
    const inputNotes = notes && { notes, input };
    const units = timeUnits(trace, options, clockHz);
    const printer = new TracePrinter(trace, options, units, lastTime, inputNotes);
    printer.onUnprintable = onUnprintable;
    return printer;
  });
}

/**
 * The buffers of all inputs: top levels first, then the instances, each group in the order of the inputs.
 * @param partOf the part of a buffer to print; all if not given
 */
export function streamsOf(
  inputs: readonly ReportInput[],
  options: ReportOptions,
  printers: readonly TracePrinter[],
  partOf?: (input: number, buffer: string) => TracePart,
): Stream[] {
  const tops: Stream[] = [];
  const instances: Stream[] = [];
  const labelOf = labels(inputs);
  for (const [index, input] of inputs.entries()) {
    const { trace } = input;
    const filter = options.filterOf(input);
    const wanted = filter.buffers && new Set(filter.buffers);
    for (const { name } of trace.buffers) {
      if (wanted?.has(name) === false) continue;
      const label = labelOf(input, name);
      const stream = new Stream(input, printers[index]!, name, label, filter, options, partOf?.(index, name));
      (stream.isTop ? tops : instances).push(stream);
    }
  }
  return [...tops, ...instances];
}

/** The prefix of each line: the file, if there are several, or the instance, if there are any. */
function labels(inputs: readonly ReportInput[]): (input: ReportInput, buffer: string) => string {
  const severalFiles = inputs.length > 1;
  const nameOf = ({ label }: ReportInput, buffer: string): string =>
    buffer === '' ? (severalFiles ? (label ?? '') : '') : buffer;
  const names = inputs.flatMap((input) => input.trace.buffers.map(({ name }) => nameOf(input, name)));
  const width = Math.max(0, ...names.map((name) => name.length));
  if (width === 0) return () => '';
  return (input, buffer) => {
    const name = nameOf(input, buffer);
    return name === '' ? ' '.repeat(width + 2) : `${name.padStart(width)}: `;
  };
}

/** The events of one buffer, one at a time. */
export class Stream {
  readonly input: ReportInput;
  readonly printer: TracePrinter;
  readonly label: string;
  readonly isTop: boolean;
  /** The part that is read; undefined for all. */
  readonly part: TracePart | undefined;
  /** The current event; undefined at the end. */
  event: TraceEvent | undefined;
  readonly #batches: AsyncGenerator<EventBatch, void, undefined>;
  readonly #withoutFlags: number;
  readonly #nsPerTick: number | undefined;
  readonly #lastTimes: (bigint | undefined)[] = [];
  #offset: bigint;
  #events: Iterator<TraceEvent> | undefined;

  constructor(
    input: ReportInput,
    printer: TracePrinter,
    buffer: string,
    label: string,
    filter: EventFilter,
    options: ReportOptions,
    part?: TracePart,
  ) {
    this.input = input;
    this.printer = printer;
    this.label = label;
    this.isTop = buffer === '';
    this.part = part;
    const { follow } = options;
    this.#batches =
      follow === undefined
        ? input.trace.markedEvents({ ...filter, buffers: [buffer] }, part)
        : input.trace.follow(filter, follow.signal);
    this.#withoutFlags = options.withoutFlags;
    this.#nsPerTick = input.clockHz === undefined || options.rawTimes ? undefined : 1e9 / input.clockHz;
    this.#offset = options.rawTimes ? 0n : input.timeOffset;
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

  /** Whether the report shows times that differ from the events' own. */
  get isAdjusted(): boolean {
    return this.#offset !== 0n || this.#nsPerTick !== undefined;
  }

  /** Time of the current event with all corrections. */
  get time(): bigint {
    let time = this.event!.timestamp;
    if (this.#nsPerTick !== undefined) time = BigInt(Math.trunc(Number(time) * this.#nsPerTick));
    return this.#offset === 0n ? time : BigInt.asUintN(64, time + this.#offset);
  }

  /** Compares the current event's time with that of the previous event of its CPU. */
  checkOrder(report: NonNullable<ReportOptions['onStepBack']>): void {
    const { time } = this;
    const { cpu } = this.event!;
    const before = this.#lastTimes[cpu] ?? 0n;
    if (before > time) report(cpu, before, time);
    this.#lastTimes[cpu] = time;
  }

  /** Makes times relative to `first`. */
  align(first: bigint): void {
    this.#offset -= first;
  }

  async close(): Promise<void> {
    await this.#batches.return();
  }
}
