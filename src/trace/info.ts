import { stat, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { exitCode, Failure } from '../base/failure.ts';
import { blocksOf } from './file/blocks.ts';
import { checkedRuns, emptyTally, type RawTally } from './check/checked-runs.ts';
import { EventCatalogue } from './format/event-catalogue.ts';
import { FormatError } from './format/format-error.ts';
import { isFramedFile } from './framed/framed-trace.ts';
import { clockUnit } from './metadata/clock-unit.ts';
import { readRecordingMetadata } from './recording/recording-metadata.ts';
import type { Symbols } from './metadata/symbols.ts';
import { type TopLevelLine, withoutNote } from './metadata/unseen.ts';
import { parseUsualLayout } from './metadata/usual-layout.ts';
import { openInput } from './file/open-input.ts';
import { keptFiles } from './recording/raw-file.ts';
import { metadataFile, rawFile, readRecording, type Recording } from './recording/recording-format.ts';
import type { PageLayout } from './ring/page-layout.ts';
import { TraceFileError } from './dat/read/byte-reader.ts';
import { cpuBlocks, readTraceFile } from './dat/read/read-trace-file.ts';

/** What a trace holds. Texts are the guest's: make them harmless before they reach a terminal. */
export interface TraceInfo {
  readonly path: string;
  readonly kind: 'trace.dat' | 'recording';
  /** Of the file's format; undefined for a recording. */
  readonly format: { readonly version: 6 | 7; readonly compression: 'none' | 'zstd' } | undefined;
  /** Of the file; for a recording, of its raw pages and metadata. */
  readonly totalBytes: number;
  readonly pageBytes: number;
  readonly uname: string;
  /** The program that wrote the file; empty when unknown. */
  readonly writer: string;
  readonly traceId: bigint | undefined;
  readonly eventFormats: number;
  /** Of the guest's kernel: whether functions have names. */
  readonly symbols: Symbols;
  /** What the guest wrote elsewhere than into these buffers; null: not told. */
  readonly unseen: readonly TopLevelLine[] | null;
  readonly buffers: readonly BufferInfo[];
  readonly recording: Recording | undefined;
}

/** One tracing instance; the top one's name is empty. */
export interface BufferInfo {
  readonly name: string;
  /** Name of the trace clock; empty when unknown. */
  readonly clock: string;
  readonly cpus: readonly CpuInfo[];
  /** Sums and bounds over all CPUs. */
  readonly events: number;
  readonly lost: bigint;
  readonly pagesAfterUncountedLoss: number;
  /** Unit of all times of this buffer; null when its clock is none of time, or not known. */
  readonly timeUnit: 'ns' | null;
  readonly first: bigint | undefined;
  readonly last: bigint | undefined;
  /** Pages that begin before the page before them ended; 0 for the pages of one CPU and one clock. */
  readonly stepsBack: number;
  /** Events by `system:name`, most first. */
  readonly eventsByName: ReadonlyMap<string, number>;
}

/** What a CPU's pages hold; pages that cannot be read are in `leftOut`. */
export interface CpuInfo extends RawTally {
  readonly cpu: number;
  /** As stored: compressed or not. */
  readonly dataBytes: number;
}

/** Reads all pages of a trace.dat or of a recording's directory, at 1 to 2 GB/s. Throws Failure. */
export async function readInfo(path: string): Promise<TraceInfo> {
  const found = await stat(path).catch(() => undefined);
  return found?.isDirectory() === true ? recordingInfo(path) : fileInfo(path);
}

async function fileInfo(path: string): Promise<TraceInfo> {
  const file = await openInput(path);
  try {
    const trace = await readTraceFile(file);
    const layout = parseUsualLayout(trace.headerPage);
    const catalogue = new EventCatalogue(trace.formats, layout.commitBytes);
    const buffers: BufferInfo[] = [];
    for (const { name, clock, cpus } of trace.buffers) {
      const counted: CpuInfo[] = [];
      for (const extent of cpus) {
        const blocks = cpuBlocks(file, extent, trace.compression, layout.pageBytes);
        const tally = await countPages(blocks, layout, catalogue);
        counted.push({ cpu: extent.cpu, dataBytes: extent.bytes, ...tally });
      }
      buffers.push(bufferInfo(name, clock, counted, catalogue));
    }
    const { version, compression, options, symbols } = trace;
    const { writer, unseen = null } = withoutNote(options.writer);
    return {
      path,
      kind: 'trace.dat',
      format: { version, compression },
      totalBytes: (await file.stat()).size,
      pageBytes: layout.pageBytes,
      uname: options.uname,
      writer,
      traceId: options.traceId,
      eventFormats: catalogue.size,
      symbols,
      unseen,
      buffers,
      recording: undefined,
    };
  } catch (error) {
    if (!(error instanceof TraceFileError) && !(error instanceof FormatError)) throw error;
    if (await isFramedFile(file)) throw framedStream(path);
    throw new Failure(
      exitCode.failed,
      `${path}: not a trace.dat that can be read: ${error.message}`,
      'look at it with trace-cmd dump',
      { cause: error },
    );
  } finally {
    await file.close();
  }
}

function framedStream(path: string): Failure {
  const message = `${path}: a framed stream, as trace-agent -o --framed writes it, and no trace.dat yet`;
  return new Failure(exitCode.failed, message, 'make one of it with trace-host convert, and ask about that');
}

async function recordingInfo(dir: string): Promise<TraceInfo> {
  const recording = await readRecording(dir);
  const { metadata, unseen = null } = await readRecordingMetadata(dir, recording);
  const { layout, catalogue, uname, clock, symbols } = metadata;
  let totalBytes = (await stat(join(dir, metadataFile))).size;
  const cpus: CpuInfo[] = [];
  for (const { cpu } of recording.cpus) {
    const files: FileHandle[] = [];
    try {
      for (const path of keptFiles(join(dir, rawFile(cpu)))) files.push(await openInput(path));
      let dataBytes = 0;
      for (const file of files) dataBytes += (await file.stat()).size;
      totalBytes += dataBytes;
      cpus.push({ cpu, dataBytes, ...(await countPages(blocksOfAll(files), layout, catalogue)) });
    } finally {
      for (const file of files) await file.close();
    }
  }
  return {
    path: dir,
    kind: 'recording',
    format: undefined,
    totalBytes,
    pageBytes: layout.pageBytes,
    uname,
    writer: '',
    traceId: undefined,
    eventFormats: catalogue.size,
    symbols,
    unseen,
    buffers: [bufferInfo('', recording.clock ?? clock, cpus, catalogue)],
    recording,
  };
}

/** What a cap has cut in two is cut between pages. */
async function* blocksOfAll(files: readonly FileHandle[]): AsyncGenerator<Uint8Array> {
  for (const file of files) yield* blocksOf(file, 0, (await file.stat()).size);
}

async function countPages(
  blocks: AsyncIterable<Uint8Array>,
  layout: PageLayout,
  { common }: EventCatalogue,
): Promise<RawTally> {
  const tally = emptyTally();
  const runs = checkedRuns(blocks, layout, common, tally);
  while ((await runs.next()).done !== true);
  return tally;
}

function bufferInfo(
  name: string,
  clock: string,
  cpus: readonly CpuInfo[],
  catalogue: EventCatalogue,
): BufferInfo {
  const counts = new Map<string, number>();
  let events = 0;
  let lost = 0n;
  let pagesAfterUncountedLoss = 0;
  let first: bigint | undefined;
  let last: bigint | undefined;
  let stepsBack = 0;
  for (const cpu of cpus) {
    events += cpu.events;
    lost += cpu.lost;
    pagesAfterUncountedLoss += cpu.pagesAfterUncountedLoss;
    stepsBack += cpu.stepsBack;
    if (cpu.first !== undefined && (first === undefined || cpu.first < first)) first = cpu.first;
    if (cpu.last !== undefined && (last === undefined || cpu.last > last)) last = cpu.last;
    for (const [id, count] of cpu.eventsById) {
      const event = catalogue.byId(id)?.fullName ?? `#${id}`;
      counts.set(event, (counts.get(event) ?? 0) + count);
    }
  }
  const eventsByName = new Map([...counts].sort(([, a], [, b]) => b - a));
  return {
    name,
    clock,
    cpus,
    events,
    lost,
    pagesAfterUncountedLoss,
    timeUnit: clockUnit(clock),
    first,
    last,
    stepsBack,
    eventsByName,
  };
}

/** The same as values that JSON has: maps as objects, 64-bit numbers as texts. */
export function infoAsJson(info: TraceInfo): unknown {
  return JSON.parse(
    JSON.stringify(info, (_key, value: unknown) => {
      if (value instanceof Map) return Object.fromEntries(value);
      return typeof value === 'bigint' ? String(value) : value;
    }),
  );
}
