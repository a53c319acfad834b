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
  /** Ids that two events used one after the other; `metadata` contains neither format. */
  readonly reusedIds: readonly ReusedId[];
  /** Top-level lines that did not go to the traced buffer; undefined if unknown. */
  readonly unseen: readonly TopLevelLine[] | undefined;
}

type Contents = Map<string, Buffer>;

/**
 * Reads the metadata in a recording directory: the archive from the start, overridden by the traced instance's own
 * files, then by what had changed at the end. It has the formats of both start and end. Page size and ring counts from
 * `recording` take precedence. Throws Failure.
 */
export async function readRecordingMetadata(dir: string, recording: Recording): Promise<RecordingMetadata> {
  const contents = await readArchiveFile(join(dir, metadataFile));
  const instance = await readIfThere(join(dir, instanceFile));
  const end = await readIfThere(join(dir, namesFile));
  return mergeMetadata(contents, instance, end, recording);
}

/** Like `readRecordingMetadata`, with archives that are already in memory. Throws Failure. */
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
    // from an older agent, which does not report the counts before the start
    if (/^per_cpu\/cpu\d+\/stats$/.test(name)) contents.set(name, content);
  }
  if (pageBytes !== null)
    contents.set(instanceFiles.page, withPageBytes(contents.get(instanceFiles.page), pageBytes));
  for (const { cpu, ring } of cpus)
    if (ring !== null) contents.set(`per_cpu/cpu${cpu}/stats`, Buffer.from(statsText(ring)));
  const reusedIds = end === undefined ? [] : withLaterFormats(contents, end);
  // without instance files only the top level's options are known
  const options = (instance ?? (traced === null ? start : undefined))?.get('trace_options');
  const unseen = unseenLines(traced, options?.toString('latin1'));
  return { metadata: parseMetadata(contents), reusedIds, unseen };
}

/** Files whose version at the end replaces the earlier one. */
const namesOfEnd: ReadonlySet<string> = new Set(['saved_cmdlines', 'saved_tgids', 'ps', 'modules']);
/** Files whose lines from both ends are kept: modules come and go with their symbols and texts. */
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
