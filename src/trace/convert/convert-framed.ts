import type { FileHandle } from 'node:fs/promises';
import { exitCode, Failure } from '../../base/failure.ts';
import { convert, type ConvertReport, type ConvertSettings } from './convert.ts';
import { readMetadataArchive } from '../metadata/archive.ts';
import { readArchiveFile } from '../metadata/guest-metadata.ts';
import { mergeMetadata } from '../recording/recording-metadata.ts';
import { pagesOfExtents } from './raw-pages.ts';
import { type FramedTrace, readFramed } from '../framed/framed-trace.ts';

/** The gaps and faults of a framed stream. */
export interface FramedGaps {
  /** Bytes (whole or partial pages) missing from the stream, by CPU. */
  readonly missingBytes: ReadonlyMap<number, number>;
  /** Whether the stream has its end record; if not, it was cut off, and how much is missing after that is unknown. */
  readonly ended: boolean;
  /** Unusable bytes in the stream, and whether they begin like another stream. */
  readonly strayBytes: number;
  readonly another: boolean;
  /** The CPUs for which the kernel's count of read events differs from the file's count, with both counts. */
  readonly miscounted: ReadonlyMap<number, { readonly readEvents: number; readonly events: number }>;
}

export interface FramedReport extends ConvertReport {
  readonly gaps: FramedGaps;
}

/**
 * Converts a framed stream to trace.dat.
 * @param file an open file; the caller closes it
 * @param path for messages
 * @param metadata path of a metadata archive to use instead of the stream's own
 * @throws Failure
 */
export async function convertFramed(
  file: FileHandle,
  path: string,
  metadata: string | undefined,
  settings: ConvertSettings,
): Promise<FramedReport> {
  const trace = await readFramed(file, path, settings.signal);
  const read = await metadataOf(trace, path, metadata);
  const cpus = new Map(
    [...trace.cpus].map(([cpu, extents]) => [
      cpu,
      pagesOfExtents(file, () => extents.wholePages(trace.pageBytes)),
    ]),
  );
  const clock = settings.clock ?? trace.clock;
  const report = await convert({
    ...settings,
    ...(clock === null ? {} : { clock }),
    cpus,
    metadata: read.metadata,
  });
  return {
    ...report,
    reusedIds: read.reusedIds.filter(({ id }) => report.undescribed.includes(id)),
    gaps: gapsOf(trace, report),
  };
}

async function metadataOf(trace: FramedTrace, path: string, given: string | undefined) {
  const start = given === undefined ? await archiveOf(trace.metadata, path) : await readArchiveFile(given);
  if (start === undefined)
    throw new Failure(
      exitCode.missing,
      `${path}: the stream was cut off before the guest's metadata was complete`,
      [...trace.cpus.values()].some(({ end }) => end > 0)
        ? 'add --metadata FILE; docs/raw-pages.md shows how to create one in the guest'
        : 'it contains no pages: record again, and wait until the agent reports that it has started',
    );
  const cpus = [...trace.cpus.keys()].map((cpu) => ({
    cpu,
    bytes: 0,
    ring: trace.account?.get(cpu)?.ring ?? null,
  }));
  const end = await archiveOf(trace.laterMetadata, path);
  // the archive already holds the instance's own files: the agent traced only this instance
  return mergeMetadata(start, start, end, {
    pageBytes: trace.pageBytes,
    cpus,
    ...(trace.instance === undefined ? {} : { instance: trace.instance }),
  });
}

async function archiveOf(
  packed: Buffer | undefined,
  path: string,
): Promise<ReadonlyMap<string, Buffer> | undefined> {
  if (packed === undefined) return undefined;
  try {
    return await readMetadataArchive([packed]);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    throw new Failure(error.exitCode, `${path}: ${error.message}`, error.remedy, { cause: error });
  }
}

/** The counts of a CPU that only appears in the totals. */
const nothing = { rawBytes: 0, events: 0, leftOut: new Map<string, number>() };

function gapsOf(trace: FramedTrace, report: ConvertReport): FramedGaps {
  const missingBytes = new Map<number, number>();
  const miscounted = new Map<number, { readEvents: number; events: number }>();
  const converted = new Map(report.cpus.map((each) => [each.cpu, each]));
  for (const cpu of new Set([...converted.keys(), ...(trace.account?.keys() ?? [])])) {
    const { rawBytes, events, leftOut } = converted.get(cpu) ?? nothing;
    const account = trace.account?.get(cpu);
    const missing = Math.max(account?.bytes ?? 0, trace.cpus.get(cpu)?.end ?? 0) - rawBytes;
    if (missing > 0) missingBytes.set(cpu, missing);
    const readEvents = account?.ring?.readEvents;
    // if pages are missing or were skipped, the counts cannot agree, and that is already reported
    if (missing > 0 || leftOut.size > 0 || readEvents === undefined || readEvents === events) continue;
    miscounted.set(cpu, { readEvents, events });
  }
  const { strayBytes, another, account } = trace;
  return { missingBytes, ended: account !== undefined, strayBytes, another, miscounted };
}
