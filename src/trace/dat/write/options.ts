import { ByteWriter } from './byte-writer.ts';
import { formatGuest, type TracedGuest } from '../guest-option.ts';
import { optionId } from '../ids.ts';
import { formatTimeShift, type TimeShift } from '../time-shift.ts';

export interface Option {
  readonly id: number;
  readonly content: Buffer;
}

/** Facts about a trace that are written in addition to its pages and metadata. */
export interface TraceFacts {
  /** CPU ids, including those without pages. */
  readonly cpus: readonly number[];
  /** Text of `per_cpu/cpuN/stats` by CPU. */
  readonly stats: ReadonlyMap<number, string>;
  readonly uname: string;
  /** The program that writes the file. */
  readonly writer: string;
  /** Name of the clock in use. */
  readonly clock: string;
  /** Text of `trace_clock`, with that clock in brackets. */
  readonly traceClock: string;
  /** Id by which other files refer to this one. */
  readonly traceId: bigint;
  /** How to convert the times to host times; undefined for a machine on its own. */
  readonly timeShift?: TimeShift;
  /** The guests traced together with this host. */
  readonly guests?: readonly TracedGuest[];
}

/**
 * Nanosecond clocks that libtraceevent treats as counters if told their name: it then prints bare numbers instead of
 * seconds. It knows local, global, uptime, perf and mono*.
 */
const nanosecondClocksUnknownToReaders: ReadonlySet<string> = new Set(['boot', 'tai']);

/** Whether to write the clock as option 4. False if that would make readers misread the times. */
export function namesClock({ clock, traceClock }: TraceFacts): boolean {
  return traceClock !== '' && !nanosecondClocksUnknownToReaders.has(clock);
}

/** The options of both versions, except the clock. */
export function commonOptions(facts: TraceFacts): Option[] {
  const options: Option[] = [...facts.stats]
    .sort(([a], [b]) => a - b)
    .map(([cpu, text]) => ({ id: optionId.cpuStat, content: cString(`CPU: ${cpu}\n${text}`) }));

  if (facts.uname !== '') options.push({ id: optionId.uname, content: cString(facts.uname) });
  options.push({ id: optionId.version, content: cString(facts.writer) });
  options.push({ id: optionId.traceId, content: new ByteWriter().u64(facts.traceId).finish() });
  for (const guest of facts.guests ?? []) options.push({ id: optionId.guest, content: formatGuest(guest) });
  if (facts.timeShift !== undefined)
    options.push({ id: optionId.timeShift, content: formatTimeShift(facts.timeShift) });
  return options;
}

export function cString(text: string): Buffer {
  return new ByteWriter().string(text).finish();
}

export function u32Of(value: number): Buffer {
  return new ByteWriter().u32(value).finish();
}

export function u64Of(value: number): Buffer {
  return new ByteWriter().u64(value).finish();
}

/** Encodes the options, without the final `done`. */
export function packOptions(options: readonly Option[]): Buffer {
  const writer = new ByteWriter();
  for (const { id, content } of options) writer.u16(id).u32(content.length).bytes(content);
  return writer.finish();
}
