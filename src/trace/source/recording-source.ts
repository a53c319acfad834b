import { closeSync, existsSync, openSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { exitCode, Failure } from '../../base/failure.ts';
import { blocksOf, readPart } from '../file/blocks.ts';
import { formatTexts } from '../metadata/guest-metadata.ts';
import { openInput } from '../file/open-input.ts';
import { keptFiles } from '../recording/raw-file.ts';
import { metadataFile, type Recording, rawFile, readRecording } from '../recording/recording-format.ts';
import { readRecordingMetadata } from '../recording/recording-metadata.ts';
import { readAlignment, timeShiftOf } from '../recording/clock-files.ts';
import { tracedGuests } from '../recording/traced-guests.ts';
import type { PageSteps, SourceCpu, TraceSource } from './source.ts';

/** Opens a recording directory, finished or not. Throws Failure that names the path. */
export async function openRecordingSource(dir: string): Promise<TraceSource> {
  const recording = await readRecording(dir);
  checkWhole(dir, recording);
  const { metadata, unseen = null } = await readRecordingMetadata(dir, recording);
  const { layout, catalogue, uname, clock, symbols, savedCmdlines, savedTgids, stats } = metadata;
  const cpus: SourceCpu[] = [];
  for (const { cpu } of recording.cpus) cpus.push(await cpuOf(dir, cpu, layout.pageBytes));
  const cpuCount = Math.max(0, ...cpus.map(({ cpu }) => cpu + 1));
  const alignment = readAlignment(dir);
  const rawBytes = cpus.reduce((sum, { dataBytes }) => sum + dataBytes, 0);
  return {
    path: dir,
    kind: 'recording',
    format: undefined,
    totalBytes: (await stat(join(dir, metadataFile))).size + rawBytes,
    layout,
    catalogue,
    uname,
    writer: '',
    traceId: recording.traceId === undefined ? undefined : BigInt(recording.traceId),
    timeShift: alignment && timeShiftOf(alignment, cpuCount),
    guests: tracedGuests(recording),
    pauses: recording.pauses,
    symbols,
    unseen,
    kallsyms: () => metadata.kallsyms,
    printkFormats: () => metadata.printkFormats,
    formatTexts: () => formatTexts(metadata.formats),
    statTexts: [...stats].sort(([a], [b]) => a - b).map(([cpu, text]) => `CPU: ${cpu}\n${text}`),
    timeOffset: 0n,
    cpuCount,
    taskNames: savedCmdlines.toString('latin1'),
    taskGroups: savedTgids.toString('latin1'),
    processes: metadata.others.get('ps')?.toString('latin1') ?? '',
    cpuStats: stats,
    buffers: [{ name: '', clock: recording.clock ?? clock, cpus }],
    recording,
    close: () => Promise.resolve(),
  };
}

/** Checks that none of the files that every recording has is missing. Throws Failure. */
function checkWhole(dir: string, { cpus }: Recording): void {
  const pages = cpus
    .map(({ cpu }) => rawFile(cpu))
    .filter((name) => !keptFiles(join(dir, name)).some((path) => existsSync(path)));
  const missing = existsSync(join(dir, metadataFile)) ? pages : [metadataFile, ...pages];
  if (missing.length === 0) return;
  throw new Failure(
    exitCode.missing,
    `${dir}: incomplete: ${missing.join(', ')} missing`,
    'restore it, or use trace-host convert with the raw files and --metadata',
  );
}

async function cpuOf(dir: string, cpu: number, pageBytes: number): Promise<SourceCpu> {
  const path = join(dir, rawFile(cpu));
  const sizes: PartSize[] = [];
  for (const part of keptFiles(path)) {
    const file = await openInput(part);
    sizes.push({ path: part, bytes: (await file.stat()).size });
    await file.close();
  }
  return {
    cpu,
    dataBytes: sizes.reduce((sum, { bytes }) => sum + bytes, 0),
    isChunked: false,
    blocks: (blockBytes, step = 0, into) => blocksOfFiles(path, step * pageBytes, blockBytes, into),
    steps: () => stepsOf(sizes, pageBytes),
  };
}

interface PartSize {
  readonly path: string;
  readonly bytes: number;
}

/** Reads the files of a CPU; a capped recording has two, split between pages. */
async function* blocksOfFiles(
  path: string,
  skip: number,
  blockBytes?: number,
  into?: Buffer,
): AsyncGenerator<Uint8Array> {
  let skipBytes = skip;
  for (const part of keptFiles(path)) {
    const file = await openInput(part);
    try {
      const { size } = await file.stat();
      const start = Math.min(size, skipBytes);
      skipBytes -= start;
      yield* blocksOf(file, start, size - start, blockBytes, into);
    } finally {
      await file.close();
    }
  }
}

/** The pages of a CPU's files. Opens the file for each read: there are few reads, and nobody would close it. */
function stepsOf(files: readonly PartSize[], pageBytes: number): PageSteps {
  const places = files.map(({ path, bytes }) => ({ path, pages: Math.floor(bytes / pageBytes) }));
  return {
    count: places.reduce((sum, { pages }) => sum + pages, 0),
    read: (step) => {
      let page = step;
      for (const { path, pages } of places) {
        if (page < pages) return readPages(path, page * pageBytes, Math.min(2, pages - page) * pageBytes);
        page -= pages;
      }
      return new Uint8Array(0);
    },
  };
}

function readPages(path: string, offset: number, bytes: number): Uint8Array {
  const fd = openSync(path, 'r');
  try {
    return readPart(fd, offset, bytes);
  } finally {
    closeSync(fd);
  }
}
