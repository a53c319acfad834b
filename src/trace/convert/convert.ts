import { randomBytes } from 'node:crypto';
import { type Stats, statSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { version as programVersion } from '../../base/version.ts';
import { maxCpus } from '../../base/cpu-list.ts';
import { errorCode } from '../../base/error-code.ts';
import { exitCode, Failure } from '../../base/failure.ts';
import { checkedRuns, emptyTally, type LeftOut, type PageRun, type RawTally } from '../check/checked-runs.ts';
import type { FormatError } from '../format/format-error.ts';
import type { GuestMetadata } from '../metadata/guest-metadata.ts';
import type { ReusedId } from '../metadata/later-formats.ts';
import { withPlaceholders } from '../metadata/placeholder-formats.ts';
import { readRecordingMetadata } from '../recording/recording-metadata.ts';
import type { Symbols } from '../metadata/symbols.ts';
import { withChosenClock } from '../metadata/trace-clock.ts';
import { type TopLevelLine, unseenNote } from '../metadata/unseen.ts';
import { joinAllCapped } from '../recording/recording-dir.ts';
import { openInput } from '../file/open-input.ts';
import { pagesOfFile, type RawPages } from './raw-pages.ts';
import { rawFile, readRecording } from '../recording/recording-format.ts';
import { readAlignment, timeShiftOf } from '../recording/clock-files.ts';
import { tracedGuests } from '../recording/traced-guests.ts';
import { qualityNote } from '../dat/clock-quality.ts';
import { RawFileShrank, type CpuSource } from '../dat/cpu-data.ts';
import type { TracedGuest } from '../dat/guest-option.ts';
import { pauseNote, type RecordedPause } from '../dat/pause-note.ts';
import type { TimeShift } from '../dat/time-shift.ts';
import type { TraceFacts } from '../dat/write/options.ts';
import { Output } from '../file/output.ts';
import { writeV6 } from '../dat/write/write-v6.ts';
import { writeV7, type Compression } from '../dat/write/write-v7.ts';
import { writeReplacing } from '../file/write-replacing.ts';

export type FileVersion = 6 | 7;

export interface ConvertSettings {
  /** Path of the output file. An existing file is replaced once the new one is complete. */
  readonly out: string;
  /** trace.dat format version; 7 by default. */
  readonly version?: FileVersion;
  /** `none` by default; `zstd` needs version 7. */
  readonly compress?: Compression;
  /** Name of the trace clock, for metadata that was fetched after the clock had been restored. */
  readonly clock?: string;
  /** Id by which other files refer to this one; random by default. */
  readonly traceId?: bigint;
  /** How to convert the times to host times; undefined for a machine on its own. */
  readonly timeShift?: TimeShift;
  /** The guests traced together with this host. */
  readonly guests?: readonly TracedGuest[];
  /** When the guest was paused. */
  readonly pauses?: readonly RecordedPause[];
  /** Called after each piece of a few MiB at most. */
  readonly onProgress?: (progress: ConvertProgress) => void;
  /** Cancels the conversion: it throws the signal's reason and leaves no files. */
  readonly signal?: AbortSignal;
}

export interface ConvertInput extends ConvertSettings {
  /** The pages of each CPU: the path of its raw-page file, or pages in an open file, which stays open. */
  readonly cpus: ReadonlyMap<number, string | RawPages>;
  readonly metadata: GuestMetadata;
  /** Top-level lines (trace_marker, trace_printk) that went to another buffer; undefined if unknown. */
  readonly unseen?: readonly TopLevelLine[];
}

export interface ConvertProgress {
  readonly cpu: number;
  /** Raw bytes of all CPUs: done so far, and in total. */
  readonly doneBytes: number;
  readonly totalBytes: number;
}

export interface ConvertReport {
  readonly out: string;
  readonly cpus: readonly ConvertedCpu[];
  /** Sums over all CPUs. */
  readonly pages: number;
  readonly events: number;
  readonly lost: bigint;
  readonly leftOut: ReadonlyMap<LeftOut, number>;
  /** Ids in the file that two events used one after the other; neither format is used for them. */
  readonly reusedIds: readonly ReusedId[];
  readonly symbols: Symbols;
  /** Top-level lines (trace_marker, trace_printk) that went to another buffer; undefined if unknown. */
  readonly unseen: readonly TopLevelLine[] | undefined;
  readonly eventsByName: ReadonlyMap<string, number>;
  /** Ids of events without a format; the file names them `unknown:event_ID`. */
  readonly undescribed: readonly number[];
  /** Guest event formats that could not be parsed, wholly or partly, and why. */
  readonly oddFormats: readonly FormatError[];
  readonly rawBytes: number;
  readonly fileBytes: number;
  readonly seconds: number;
}

export interface ConvertedCpu extends RawTally {
  readonly cpu: number;
  readonly rawBytes: number;
  /** Size in the file, after any compression. */
  readonly dataBytes: number;
}

interface RawInput {
  readonly cpu: number;
  readonly pages: RawPages;
  /** Whether this module opened the file and must close it. */
  readonly opened: boolean;
  readonly tally: RawTally;
}

/** Converts a recording directory, finished or not, to trace.dat. Throws Failure. */
export async function convertRecording(dir: string, settings: ConvertSettings): Promise<ConvertReport> {
  const recording = await readRecording(dir);
  const { metadata, reusedIds, unseen } = await readRecordingMetadata(dir, recording);
  const cpus = new Map(recording.cpus.map(({ cpu }) => [cpu, join(dir, rawFile(cpu))]));
  await joinAllCapped(dir, [...cpus.keys()]);
  const alignment = readAlignment(dir);
  const clock = settings.clock ?? recording.clock;
  const { traceId } = recording;
  const report = await convert({
    ...(traceId === undefined ? {} : { traceId: BigInt(traceId) }),
    guests: tracedGuests(recording),
    ...(recording.pauses && { pauses: recording.pauses }),
    ...(alignment && { timeShift: timeShiftOf(alignment, Math.max(...cpus.keys()) + 1) }),
    ...settings,
    ...(clock === null ? {} : { clock }),
    ...(unseen === undefined ? {} : { unseen }),
    cpus,
    metadata,
  });
  return { ...report, reusedIds: reusedIds.filter(({ id }) => report.undescribed.includes(id)) };
}

/**
 * Converts raw pages and metadata to trace.dat. Checks each page; skips bad ones and reports them. The file appears
 * only once it is complete; a failed conversion leaves no files. Uses a few MiB of memory whatever the size. Takes
 * about as long as a copy, or twice as long if an event has no format, since formats come first in the file. Throws
 * Failure.
 */
export async function convert(input: ConvertInput): Promise<ConvertReport> {
  const report = await convertOnce(input);
  const undescribed = undescribedIds(report, input.metadata);
  if (undescribed.length === 0) return report;
  const again = await convertOnce({ ...input, metadata: withPlaceholders(input.metadata, undescribed) });
  const seconds = report.seconds + again.seconds;
  return { ...again, undescribed, oddFormats: report.oddFormats, seconds };
}

function undescribedIds({ cpus }: ConvertReport, { catalogue }: GuestMetadata): number[] {
  const ids = new Set(cpus.flatMap(({ eventsById }) => [...eventsById.keys()]));
  return [...ids].filter((id) => catalogue.byId(id) === undefined).sort((a, b) => a - b);
}

async function convertOnce(input: ConvertInput): Promise<ConvertReport> {
  const { out, metadata, version = 7, compress = 'none' } = input;
  if (version === 6 && compress !== 'none') {
    throw new Failure(
      exitCode.usage,
      'trace.dat version 6 has no compression',
      'use version 7, or no compression',
    );
  }
  const started = performance.now();
  const raws: RawInput[] = [];
  try {
    for (const [cpu, path] of [...input.cpus].sort(([a], [b]) => a - b)) {
      raws.push(await openRaw(cpu, path));
    }
    if (raws.length === 0) throw new Failure(exitCode.usage, 'no CPU to convert', 'specify raw files');
    for (const { pages } of raws) await mustDiffer(out, pages.file);
    const facts = factsOf(input);
    const sources = sourcesOf(raws, input);
    const { result: extents, bytes: fileBytes } = await writeReplacing(out, async (file) => {
      const output = new Output(file);
      return version === 6
        ? writeV6(output, metadata, facts, sources)
        : writeV7(output, metadata, facts, sources, compress);
    });
    const cpus = raws.map(({ cpu, pages, tally }, index) => ({
      cpu,
      rawBytes: pages.bytes,
      dataBytes: extents[index]!.bytes,
      ...tally,
    }));
    return report(input, cpus, fileBytes, (performance.now() - started) / 1000);
  } catch (error) {
    if (!(error instanceof RawFileShrank)) throw error;
    throw new Failure(
      exitCode.failed,
      'a raw file shrank during the conversion',
      'convert again once no process writes to it',
      { cause: error },
    );
  } finally {
    await Promise.all(raws.filter(({ opened }) => opened).map(({ pages }) => pages.file.close()));
  }
}

/** Checks that `out` is not an input file, which the output would replace. Throws Failure. */
async function mustDiffer(out: string, input: FileHandle): Promise<void> {
  const [there, read] = [statIfThere(out), await input.stat()];
  if (there === undefined || there.ino !== read.ino || there.dev !== read.dev) return;
  throw new Failure(
    exitCode.usage,
    `${out} is an input file and would be overwritten`,
    'specify another file with -o',
  );
}

/** Stats of a file; undefined if there is an error: the later write reports why the path cannot be used. */
function statIfThere(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch (error) {
    if (errorCode(error) === '') throw error;
    return undefined;
  }
}

async function openRaw(cpu: number, raw: string | RawPages): Promise<RawInput> {
  if (!Number.isInteger(cpu) || cpu < 0 || cpu >= maxCpus) {
    const where = typeof raw === 'string' ? `${raw}: ` : '';
    throw new Failure(exitCode.usage, `${where}${cpu} is not a CPU number`, `CPUs are 0 to ${maxCpus - 1}`);
  }
  const tally = emptyTally();
  if (typeof raw !== 'string') return { cpu, pages: raw, opened: false, tally };
  const file = await openInput(raw);
  return { cpu, pages: pagesOfFile(file, (await file.stat()).size), opened: true, tally };
}

function factsOf(input: ConvertInput): TraceFacts {
  const { metadata, clock = metadata.clock } = input;
  const quality = input.timeShift?.quality;
  // readers strip them from the end
  const notes = [
    unseenNote(input.unseen),
    pauseNote(input.pauses),
    quality === undefined ? '' : qualityNote(quality),
  ];
  if (!/^[a-z0-9_-]{1,32}$/.test(clock)) {
    throw new Failure(
      exitCode.usage,
      'the clock is not the name of a trace clock',
      'see trace_clock in tracefs',
    );
  }
  return {
    cpus: [...input.cpus.keys()],
    stats: metadata.stats,
    uname: metadata.uname,
    writer: `virtio-trace ${programVersion}${notes.join('')}`,
    clock,
    traceClock: clock === metadata.clock ? metadata.traceClock : withChosenClock(metadata.traceClock, clock),
    traceId: input.traceId ?? randomBytes(8).readBigUInt64LE(),
    ...(input.timeShift && { timeShift: input.timeShift }),
    ...(input.guests && { guests: input.guests }),
  };
}

async function* sourcesOf(raws: readonly RawInput[], input: ConvertInput): AsyncGenerator<CpuSource> {
  const { layout, catalogue } = input.metadata;
  const totalBytes = raws.reduce((sum, { pages }) => sum + pages.bytes, 0);
  let doneBytes = 0;
  for (const { cpu, pages, tally } of raws) {
    const runs = checkedRuns(pages.blocks(), layout, catalogue.common, tally);
    yield { cpu, raw: pages.file, runs: watched(pages.placed(runs), cpu) };
  }

  async function* watched(runs: AsyncIterable<PageRun>, cpu: number): AsyncGenerator<PageRun> {
    for await (const run of runs) {
      yield run;
      input.signal?.throwIfAborted();
      doneBytes += run.bytes.length;
      input.onProgress?.({ cpu, doneBytes, totalBytes });
    }
  }
}

function report(
  { out, metadata: { catalogue, symbols }, unseen }: ConvertInput,
  cpus: readonly ConvertedCpu[],
  fileBytes: number,
  seconds: number,
): ConvertReport {
  const leftOut = new Map<LeftOut, number>();
  const eventsByName = new Map<string, number>();
  for (const cpu of cpus) {
    for (const [reason, pages] of cpu.leftOut) leftOut.set(reason, (leftOut.get(reason) ?? 0) + pages);
    for (const [id, events] of cpu.eventsById) {
      const name = catalogue.byId(id)?.fullName ?? `#${id}`;
      eventsByName.set(name, (eventsByName.get(name) ?? 0) + events);
    }
  }
  const sum = (of: (cpu: ConvertedCpu) => number) => cpus.reduce((total, cpu) => total + of(cpu), 0);
  return {
    out,
    cpus,
    pages: sum((cpu) => cpu.pages),
    events: sum((cpu) => cpu.events),
    lost: cpus.reduce((total, { lost }) => total + lost, 0n),
    leftOut,
    reusedIds: [],
    symbols,
    unseen,
    eventsByName,
    undescribed: [],
    oddFormats: catalogue.malformed,
    rawBytes: sum((cpu) => cpu.rawBytes),
    fileBytes,
    seconds,
  };
}
