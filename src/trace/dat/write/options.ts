import { ByteWriter } from './byte-writer.ts';
import { optionId } from '../ids.ts';

export interface Option {
  readonly id: number;
  readonly content: Buffer;
}

/** What is said about a trace beside its pages. */
export interface TraceFacts {
  /** CPU ids with their pages, also those without any. */
  readonly cpus: readonly number[];
  /** Text of `per_cpu/cpuN/stats` by CPU. */
  readonly stats: ReadonlyMap<number, string>;
  readonly uname: string;
  /** Who wrote the file. */
  readonly writer: string;
  /** Name of the clock in use. */
  readonly clock: string;
  /** Text of `trace_clock`, with that clock in brackets. */
  readonly traceClock: string;
  /** A number by which other files name this one. */
  readonly traceId: bigint;
}

/**
 * Clocks of nanoseconds that libtraceevent takes for counters, once it is told their name: it then prints bare
 * numbers in place of seconds. It knows local, global, uptime, perf and mono*.
 */
const nanosecondClocksUnknownToReaders: ReadonlySet<string> = new Set(['boot', 'tai']);

/** Whether a reader must be told the clock by option 4: not where it would misread the times. */
export function namesClock({ clock, traceClock }: TraceFacts): boolean {
  return traceClock !== '' && !nanosecondClocksUnknownToReaders.has(clock);
}

/** The options that both versions have, but for the clock's. */
export function commonOptions(facts: TraceFacts): Option[] {
  const options: Option[] = [...facts.stats]
    .sort(([a], [b]) => a - b)
    .map(([cpu, text]) => ({ id: optionId.cpuStat, content: cString(`CPU: ${cpu}\n${text}`) }));

  if (facts.uname !== '') options.push({ id: optionId.uname, content: cString(facts.uname) });
  options.push({ id: optionId.version, content: cString(facts.writer) });
  options.push({ id: optionId.traceId, content: new ByteWriter().u64(facts.traceId).finish() });
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

/** Options in a row, without the one that ends them. */
export function packOptions(options: readonly Option[]): Buffer {
  const writer = new ByteWriter();
  for (const { id, content } of options) writer.u16(id).u32(content.length).bytes(content);
  return writer.finish();
}
