import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { instanceFile, metadataFile, namesFile, type Recording } from './recording-format.ts';
import { type GuestMetadata, parseMetadata, readArchiveFile } from '../metadata/guest-metadata.ts';
import { instanceFiles, isInstanceFile, withPageBytes } from '../metadata/instance-files.ts';
import { type ReusedId, withLaterFormats } from '../metadata/later-formats.ts';
import { statsText } from './ring-stats.ts';
import { type TopLevelLine, unseenLines } from '../metadata/unseen.ts';

export interface RecordingMetadata {
  readonly metadata: GuestMetadata;
  /** Ids that the guest's kernel gave to one event after the other; none of the two is in `metadata`. */
  readonly reusedIds: readonly ReusedId[];
  /** What was written in the guest and not into the buffer that was traced; undefined: not known. */
  readonly unseen: readonly TopLevelLine[] | undefined;
}

type Contents = Map<string, Buffer>;

/**
 * Reads what a recording's directory has: the archive of its beginning, over it what the traced instance has for itself,
 * and over that what had changed at its end. Formats of both ends are in it. Where the guest told its page size, ring
 * counts and clock, those hold. Throws Failure.
 */
export async function readRecordingMetadata(dir: string, recording: Recording): Promise<RecordingMetadata> {
  const contents = await readArchiveFile(join(dir, metadataFile));
  const instance = await readIfThere(join(dir, instanceFile));
  const end = await readIfThere(join(dir, namesFile));
  return mergeMetadata(contents, instance, end, recording);
}

/** The same of contents that were read. Throws Failure. */
export function mergeMetadata(
  start: ReadonlyMap<string, Buffer>,
  instance: ReadonlyMap<string, Buffer> | undefined,
  end: ReadonlyMap<string, Buffer> | undefined,
  { pageBytes, cpus, instance: traced }: Pick<Recording, 'pageBytes' | 'cpus' | 'instance'>,
): RecordingMetadata {
  const contents: Contents = new Map(start);
  for (const [name, content] of instance ?? []) if (isInstanceFile(name)) contents.set(name, content);
  for (const [name, content] of end ?? []) {
    if (namesOfEnd.has(name)) contents.set(name, content);
    if (linesOfBothEnds.has(name)) contents.set(name, linesOfBoth(contents.get(name), content));
    // an older agent's, which told no counts of before
    if (/^per_cpu\/cpu\d+\/stats$/.test(name)) contents.set(name, content);
  }
  if (pageBytes !== null)
    contents.set(instanceFiles.page, withPageBytes(contents.get(instanceFiles.page), pageBytes));
  for (const { cpu, ring } of cpus)
    if (ring !== null) contents.set(`per_cpu/cpu${cpu}/stats`, Buffer.from(statsText(ring)));
  const reusedIds = end === undefined ? [] : withLaterFormats(contents, end);
  // without its own there are only those of what the agent reads otherwise
  const options = (instance ?? (traced === null ? start : undefined))?.get('trace_options');
  const unseen = unseenLines(traced, options?.toString('latin1'));
  return { metadata: parseMetadata(contents), reusedIds, unseen };
}

/** What the end knows better. */
const namesOfEnd: ReadonlySet<string> = new Set(['saved_cmdlines', 'saved_tgids', 'ps', 'modules']);
/** Modules come and go, and their symbols and texts with them. */
const linesOfBothEnds: ReadonlySet<string> = new Set(['kallsyms', 'printk_formats']);

function linesOfBoth(start: Buffer | undefined, end: Buffer): Buffer {
  if (start === undefined || start.length === 0 || start.equals(end)) return end;
  const known = new Set(start.toString('latin1').split('\n'));
  const more = end
    .toString('latin1')
    .split('\n')
    .filter((line) => !known.has(line));
  if (more.length === 0) return start;
  const gap = start.at(-1) === 0x0a ? '' : '\n';
  return Buffer.concat([start, Buffer.from(`${gap}${more.join('\n')}\n`, 'latin1')]);
}

async function readIfThere(path: string): Promise<Contents | undefined> {
  return existsSync(path) ? readArchiveFile(path) : undefined;
}
