import { Failure } from '../../base/failure.ts';
import type { TraceEvent } from '../../trace/events/trace-event.ts';
import { TextBuffer } from '../text/text-buffer.ts';
import type { GraphEntry } from './graph.ts';
import type { ReportInput, ReportOptions } from './options.ts';
import { type OnUnprintable, printersOf, type Stream, streamsOf } from './stream.ts';
import { Wakeups } from './wakeups.ts';

/** Takes text; the bytes are valid until the promise is resolved. */
export type WriteText = (bytes: Uint8Array) => Promise<void>;

/** Size of the collected text at which it is written. */
const flushBytes = 128 << 10;

/** Where text is collected. */
export interface TextSink {
  readonly out: TextBuffer;
  /** Length at which to call `flush`. */
  readonly flushBytes: number;
  /** Empties `out`. */
  readonly flush: () => Promise<void>;
}

/**
 * Prints the events of all inputs in time order, as trace-cmd report does. Uses bounded memory for any file
 * size. Throws Failure.
 */
export async function report(
  inputs: readonly ReportInput[],
  options: ReportOptions,
  write: WriteText,
  onUnprintable: OnUnprintable,
): Promise<void> {
  const out = new TextBuffer(flushBytes * 2);
  const flush = async (): Promise<void> => {
    if (out.length === 0) return;
    await write(out.view());
    out.clear();
  };
  const streams = streamsOf(inputs, options, printersOf(inputs, options, onUnprintable));
  writeHeads(streams, inputs.length, out);
  await printStreams(streams, options, { out, flushBytes, flush });
}

/** The first lines: the number of CPUs of each input. */
export function writeHeads(streams: readonly Stream[], inputs: number, out: TextBuffer): void {
  for (const { input, isTop, label } of streams) {
    if (!isTop) continue;
    // trace-cmd opens the instances only after this line
    if (inputs > 1) out.string(label);
    out.string(`cpus=${input.trace.source.cpuCount}\n`);
  }
}

/** Callbacks while streams are printed. */
export interface PrintWatch {
  /** Called when each stream is at its first event. */
  readonly onLoaded: () => void;
  /** Called if the last event of a stream began a line that a later event might have completed. */
  readonly onIncomplete: (stream: Stream, entry: GraphEntry) => void;
}

/** Prints the events of all streams, and closes the streams. */
export async function printStreams(
  streams: readonly Stream[],
  options: ReportOptions,
  { out, flushBytes, flush }: TextSink,
  watch?: PrintWatch,
): Promise<void> {
  try {
    const load = async (stream: Stream): Promise<void> => {
      // show the events so far before waiting for more
      if (options.follow !== undefined) await flush();
      await stream.load();
    };
    for (const stream of streams) await load(stream);
    watch?.onLoaded();
    if (options.alignTimes) align(streams, firstTime(streams));
    const [first] = streams;
    const wakeups =
      options.wakeups && first ? Wakeups.of(first.input.trace, first.printer.context) : undefined;
    for (;;) {
      const stream = earliest(streams);
      if (stream === undefined) break;
      const event = stream.event!;
      if (!stream.isWanted(event)) {
        if (!stream.next()) await load(stream);
        continue;
      }
      if (options.onStepBack !== undefined) stream.checkOrder(options.onStepBack);
      out.string(stream.label);
      writeLost(event, out);
      const entry = stream.printer.print(event, stream.isAdjusted ? stream.time : undefined, out);
      wakeups?.after(event, stream.time, out);
      if (!stream.next()) await load(stream);
      if (entry !== undefined) {
        if (stream.event === undefined) watch?.onIncomplete(stream, entry);
        if (stream.printer.complete(entry, stream.event, out) && !stream.next()) await load(stream);
      }
      if (out.length >= flushBytes) await flush();
    }
    out.string(wakeups?.summary() ?? '');
    await flush();
  } catch (error) {
    // print what was read before the error
    if (error instanceof Failure) await flush();
    throw error;
  } finally {
    for (const stream of streams) await stream.close();
  }
}

function writeLost({ lost, cpu }: TraceEvent, out: TextBuffer): void {
  if (lost === undefined || lost === 0n) return;
  out.string(lost === 'unknown' ? `CPU:${cpu} [EVENTS DROPPED]\n` : `CPU:${cpu} [${lost} EVENTS DROPPED]\n`);
}

function earliest(streams: readonly Stream[]): Stream | undefined {
  if (streams.length === 1) return streams[0]!.event === undefined ? undefined : streams[0];
  let first: Stream | undefined;
  for (const stream of streams)
    if (stream.event !== undefined && (first === undefined || stream.time < first.time)) first = stream;
  return first;
}

/** The time of the earliest current event of the streams. */
export function firstTime(streams: readonly Stream[]): bigint | undefined {
  const times = streams.filter(({ event }) => event !== undefined).map(({ time }) => time);
  return times.reduce<bigint | undefined>((a, b) => (a === undefined || b < a ? b : a), undefined);
}

/** Makes all times relative to `first`. */
export function align(streams: readonly Stream[], first: bigint | undefined): void {
  if (first !== undefined) for (const stream of streams) stream.align(first);
}
