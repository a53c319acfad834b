import { readFileSync } from 'node:fs';
import { hostname, machine, release, type, version } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { createGzip } from 'node:zlib';
import { pack as tarPack, type Pack } from 'tar-stream';
import type { MetadataDigests, MetadataPart } from '../../protocol/control.ts';
import { instanceFileNames } from '../../protocol/instance-files.ts';
import { digestOf, groupOf } from '../../protocol/metadata-groups.ts';
import { errorCode } from '../../base/error-code.ts';
import { kptrRestrictFile, readTextSymbols } from './kernel-symbols.ts';
import { readProcesses } from './processes.ts';
import type { Tracefs } from '../tracefs.ts';

/** One file of the archive. Its name is its path in tracefs; the few files from elsewhere have names of their own. */
export interface MetadataEntry {
  readonly name: string;
  readonly content: Buffer;
}

/** The files with the names of tasks. Only the top level has them. */
const nameFiles = ['saved_cmdlines', 'saved_tgids'];

type NamedPath = readonly [name: string, path: string];

const machineFiles: readonly NamedPath[] = [
  ['clocksource', '/sys/devices/system/clocksource/clocksource0/current_clocksource'],
  ['cpuinfo', '/proc/cpuinfo'],
  ['kptr_restrict', kptrRestrictFile],
  ['modules', '/proc/modules'],
  ['uptime', '/proc/uptime'],
  ['version', '/proc/version'],
];

/** Files read between two turns of the event loop: about 2 ms natively, 20 ms under emulation. */
const filesPerTurn = 64;
/** Bytes passed to gzip at once. */
const batchBytes = 256 << 10;

/**
 * Everything that a reader of the pages needs to know about this kernel: about 2,000 small files, one at a time, sorted
 * within each part. Files that this kernel does not have are skipped. Lets the event loop run every few milliseconds.
 * If `part` is `names`, returns only what changes while a trace runs; if it is `instance`, only the instance's own
 * files.
 */
export async function* collectMetadata(
  tracefs: Tracefs,
  part: MetadataPart = 'all',
): AsyncGenerator<MetadataEntry> {
  let files = 0;
  for (const [name, path] of filesOf[part](tracefs)) {
    if (++files % filesPerTurn === 0) await nextTurn();
    const content = readIfAny(path);
    if (content) yield { name, content };
  }
  if (part === 'instance') return;
  const processes = await readProcesses('/proc');
  if (processes) yield { name: 'ps', content: processes };
  if (part === 'names') return;
  const uname = `${type()} ${hostname()} ${release()} ${version()} ${machine()} GNU/Linux\n`;
  yield { name: 'uname', content: Buffer.from(uname) };
  const symbols = await readTextSymbols('/proc/kallsyms');
  if (symbols) yield { name: 'kallsyms', content: symbols };
}

const filesOf: Readonly<Record<MetadataPart, (tracefs: Tracefs) => Iterable<NamedPath>>> = {
  all: allFiles,
  names: changingFiles,
  instance: ownFiles,
};

/** Each file's name in the archive, and its path. Lists one event system at a time: listing all at once takes 20 ms. */
function* allFiles(tracefs: Tracefs): Generator<NamedPath> {
  const own = (name: string) => [name, join(tracefs.dir, name)] as const;
  yield* instanceFileNames.map(own);
  for (const system of tracefs.systems()) {
    for (const event of tracefs.eventsOf(system)) yield own(`events/${system}/${event}/format`);
  }
  yield ['printk_formats', join(tracefs.root, 'printk_formats')];
  yield* machineFiles;
  yield* changingFiles(tracefs);
}

/** The instance's own files. header_page is one of them, because since 6.8 an instance has its own page size. */
function* ownFiles(tracefs: Tracefs): Generator<NamedPath> {
  for (const name of instanceFileNames) yield [name, join(tracefs.dir, name)];
  yield* statsFiles(tracefs);
}

function* statsFiles(tracefs: Tracefs): Generator<NamedPath> {
  for (const cpu of tracefs.cpus()) {
    const name = `per_cpu/cpu${cpu}/stats`;
    yield [name, join(tracefs.dir, name)];
  }
}

function* changingFiles(tracefs: Tracefs): Generator<NamedPath> {
  yield* statsFiles(tracefs);
  yield* nameFiles.map((name) => [name, join(tracefs.root, name)] as const);
}

/**
 * tracefs files report size 0, so this reads to the end. Undefined for a file that this kernel does not have, that
 * was removed with its module, or that cannot be read.
 */
function readIfAny(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if (errorCode(error) !== '') return undefined;
    throw error;
  }
}

export interface PackedMetadata {
  /** A gzipped tar of plain files dated 1970, held in memory; 0.5 to 1 MB if it has all groups. */
  readonly packed: Buffer;
  /** Groups that are unchanged and therefore not in the archive. */
  readonly same: readonly string[];
}

/**
 * Packs the metadata. Takes about half a second, or several seconds under emulation; tar and gzip take two thirds of
 * that time. gzip runs in the thread pool. Every file is read even when `have` makes sending it unnecessary: there is
 * no other way to notice what a module or a probe has changed.
 * @param seen called with every file, including those that are not sent
 */
export async function packMetadata(
  tracefs: Tracefs,
  part: MetadataPart = 'all',
  have: MetadataDigests = {},
  seen: (entry: MetadataEntry) => void = () => undefined,
): Promise<PackedMetadata> {
  const archive = tarPack();
  const packed: Buffer[] = [];
  const same: string[] = [];
  const compressed = pipeline(inBatches(archive), createGzip(), async (chunks: AsyncIterable<Buffer>) => {
    for await (const chunk of chunks) packed.push(chunk);
  });
  const wanted = changedEntries(collectMetadata(tracefs, part), seen, have, (group) => same.push(group));
  await Promise.all([compressed, fill(archive, wanted)]);
  return { packed: Buffer.concat(packed), same };
}

/** Skips groups whose digest equals that in `have`; the entries of a group are consecutive. */
async function* changedEntries(
  entries: AsyncIterable<MetadataEntry>,
  seen: (entry: MetadataEntry) => void,
  have: MetadataDigests,
  leftOut: (group: string) => void,
): AsyncGenerator<MetadataEntry> {
  let group: string | undefined;
  let held: MetadataEntry[] = [];
  function* release(): Generator<MetadataEntry> {
    const digest = digestOf(held.map(({ name, content }) => [name, content]));
    if (group !== undefined && held.length > 0 && have[group] === digest) leftOut(group);
    else yield* held;
    held = [];
  }
  for await (const entry of entries) {
    seen(entry);
    const own = groupOf(entry.name);
    if (own !== group) yield* release();
    group = own !== undefined && Object.hasOwn(have, own) ? own : undefined;
    if (group === undefined) yield entry;
    else held.push(entry);
  }
  yield* release();
}

/**
 * Joins small chunks of a tar stream, which has thousands of them: each write to a gzip stream is a round trip to the
 * thread pool.
 */
async function* inBatches(archive: Pack): AsyncGenerator<Buffer> {
  let batch: Buffer[] = [];
  let bytes = 0;
  for await (const piece of archive) {
    if (!Buffer.isBuffer(piece)) throw new TypeError('tar-stream returned something other than bytes');
    batch.push(piece);
    bytes += piece.length;
    if (bytes < batchBytes) continue;
    yield Buffer.concat(batch, bytes);
    batch = [];
    bytes = 0;
  }
  yield Buffer.concat(batch, bytes);
}

async function fill(archive: Pack, entries: AsyncIterable<MetadataEntry>): Promise<void> {
  try {
    for await (const { name, content } of entries) {
      const header = { name, size: content.length, mode: 0o644, mtime: new Date(0) };
      await new Promise<void>((resolve, reject) => {
        archive.entry(header, content, (error) => (error ? reject(error) : resolve()));
      });
    }
    archive.finalize();
  } catch (error) {
    archive.destroy(error instanceof Error ? error : new Error(String(error)));
    throw error;
  }
}
