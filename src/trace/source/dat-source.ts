import type { FileHandle } from 'node:fs/promises';
import { withoutQuality } from '../dat/clock-quality.ts';
import { withoutPauses } from '../dat/pause-note.ts';
import { CpuPages } from '../dat/read/cpu-pages.ts';
import { chunkLimit, readTraceFile } from '../dat/read/read-trace-file.ts';
import { openInput } from '../file/open-input.ts';
import { EventCatalogue } from '../format/event-catalogue.ts';
import { withoutNote } from '../metadata/unseen.ts';
import { parseUsualLayout } from '../metadata/usual-layout.ts';
import type { PageSteps, SourceCpu, TraceSource } from './source.ts';
import { notOpened, unreadable } from './unreadable.ts';

/** Opens a trace.dat of version 6 or 7. The caller closes it. Throws Failure that names the path. */
export async function openDatSource(path: string): Promise<TraceSource> {
  const file = await openInput(path);
  try {
    return await readSource(path, file);
  } catch (error) {
    const failure = await notOpened(path, file, error);
    await file.close();
    throw failure;
  }
}

async function readSource(path: string, file: FileHandle): Promise<TraceSource> {
  const trace = await readTraceFile(file);
  const layout = parseUsualLayout(trace.headerPage);
  const mostBytes = chunkLimit(trace, layout.pageBytes);
  const { version, compression, options, symbols, taskNames } = trace;
  const noted = withoutQuality(options.writer);
  const { pauses, writer: named } = withoutPauses(noted.writer);
  const { writer, unseen = null } = withoutNote(named);
  const { quality } = noted;
  const totalBytes = (await file.stat()).size;
  return {
    path,
    kind: 'trace.dat',
    format: { version, compression },
    totalBytes,
    layout,
    catalogue: new EventCatalogue(trace.formats, layout.commitBytes),
    uname: options.uname,
    writer,
    traceId: options.traceId,
    timeShift: options.timeShift && { ...options.timeShift, ...(quality && { quality }) },
    guests: options.guests,
    pauses,
    symbols,
    unseen,
    kallsyms: () => readableText(path, trace.kallsyms),
    printkFormats: () => readableText(path, trace.printkFormats),
    formatTexts: () => trace.formats,
    statTexts: options.cpuStats,
    timeOffset: options.timeOffset,
    cpuCount:
      options.cpuCount ?? Math.max(0, ...trace.buffers.flatMap(({ cpus }) => cpus.map(({ cpu }) => cpu + 1))),
    taskNames,
    taskGroups: '',
    processes: '',
    cpuStats: cpuStatsOf(options.cpuStats),
    buffers: trace.buffers.map(({ name, clock, cpus }) => ({
      name,
      clock,
      cpus: cpus.map((extent) => ({
        cpu: extent.cpu,
        dataBytes: extent.bytes,
        ...(compression === 'none' && { offset: extent.offset }),
        isChunked: compression !== 'none',
        ...readingOf(path, new CpuPages(file, totalBytes, extent, compression, layout.pageBytes, mostBytes)),
      })),
    })),
    recording: undefined,
    close: () => file.close(),
  };
}

function readingOf(path: string, pages: CpuPages): Pick<SourceCpu, 'blocks' | 'steps'> {
  return {
    blocks: (...where) => readable(path, pages.blocks(...where)),
    steps: () => readableSteps(path, pages.steps()),
  };
}

/** The texts of `stats` files by CPU. @param texts each after a line `CPU: N` */
function cpuStatsOf(texts: readonly string[]): Map<number, string> {
  const stats = new Map<number, string>();
  for (const text of texts) {
    const [head, cpu] = /^CPU: (\d{1,5})\n/.exec(text) ?? [];
    if (head !== undefined) stats.set(Number(cpu), text.slice(head.length));
  }
  return stats;
}

/** Converts read errors: a missing page is only detected when it is read. */
async function* readable(
  path: string,
  blocks: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* blocks;
  } catch (error) {
    throw unreadable(path, error);
  }
}

function readableText(path: string, read: () => Buffer): Buffer {
  try {
    return read();
  } catch (error) {
    throw unreadable(path, error);
  }
}

function readableSteps(path: string, { count, read }: PageSteps): PageSteps {
  return {
    count,
    read: (step) => {
      try {
        return read(step);
      } catch (error) {
        throw unreadable(path, error);
      }
    },
  };
}
