import type { FileHandle } from 'node:fs/promises';
import { exitCode, Failure } from '../../base/failure.ts';
import { convert, type ConvertReport, type ConvertSettings } from './convert.ts';
import { readMetadataArchive } from '../metadata/archive.ts';
import { readArchiveFile } from '../metadata/guest-metadata.ts';
import { mergeMetadata } from '../recording/recording-metadata.ts';
import { pagesOfExtents } from './raw-pages.ts';
import { type FramedTrace, readFramed } from '../framed/framed-trace.ts';

/** What a framed stream lacks. */
export interface FramedGaps {
  /** Bytes of whole pages and parts of pages that should be in the stream and are not, by CPU. */
  readonly missingBytes: ReadonlyMap<number, number>;
  /** Whether the stream ends as it should; if not, nobody knows what is missing behind. */
  readonly ended: boolean;
  /** Bytes in it that are of no use, and whether they begin as another stream. */
  readonly strayBytes: number;
  readonly another: boolean;
  /** CPUs of which the kernel says that another number of events was read than the file has; both numbers. */
  readonly miscounted: ReadonlyMap<number, { readonly readEvents: number; readonly events: number }>;
}

export interface FramedReport extends ConvertReport {
  readonly gaps: FramedGaps;
}

/**
 * Makes a trace.dat of a framed stream.
 * @param file open, and stays so
 * @param path for messages
 * @param metadata path of an archive to be taken for that of the stream
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
      `${path}: the stream was cut off before the metadata of its guest was whole`,
      [...trace.cpus.values()].some(({ end }) => end > 0)
        ? 'add --metadata FILE; docs/raw-pages.md says how to make one in the guest'
        : 'there are no pages in it: take it again, and wait until the agent says that it has started',
    );
  const cpus = [...trace.cpus.keys()].map((cpu) => ({
    cpu,
    bytes: 0,
    ring: trace.account?.get(cpu)?.ring ?? null,
  }));
  const end = await archiveOf(trace.laterMetadata, path);
  // what the instance has for itself is in it: the agent traced no other
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

/** Of a CPU that has a line in the account alone. */
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
    // With pages missing or left out the numbers cannot agree, and that is said already.
    if (missing > 0 || leftOut.size > 0 || readEvents === undefined || readEvents === events) continue;
    miscounted.set(cpu, { readEvents, events });
  }
  const { strayBytes, another, account } = trace;
  return { missingBytes, ended: account !== undefined, strayBytes, another, miscounted };
}
