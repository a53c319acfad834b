import { PassThrough, Readable, Transform, type TransformCallback } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract as tarExtract, type Header } from 'tar-stream';
import { exitCode, Failure } from '../../base/failure.ts';
import { quoted } from '../../base/quoted.ts';

/** Limit for the tar, including headers and padding; a kernel's metadata is 3 to 8 MiB. */
const maxUnpackedBytes = 64 << 20;
/** Limit for the gzipped archive. */
const maxPackedBytes = 64 << 20;
/** Limit for the number of files: event ids have 16 bits; a kernel has some 2,000 formats. */
const maxKept = 70_000;

/** The tracefs files that are used, by their names there. */
const fileOfTracefs =
  /^(?:|.*\/)(events\/(?:header_(?:page|event)|[^/]+\/[^/]+\/format)|per_cpu\/cpu\d{1,5}\/stats)$/s;
/** The other files that the agent packs, and those at the top of a manually packed tracefs. */
const topFile = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;

function refused(reason: string, cause?: unknown): Failure {
  return new Failure(
    exitCode.failed,
    `the guest's metadata ${reason}`,
    'fetch the metadata again; a guest that keeps sending this is broken or hostile',
    { cause },
  );
}

/** Passes bytes through; fails once there are more than the limit. */
class Cap extends Transform {
  readonly #what: string;
  #leftBytes: number;

  constructor(what: string, bytes: number) {
    super();
    this.#what = what;
    this.#leftBytes = bytes;
  }

  override _transform(chunk: Buffer, _encoding: string, done: TransformCallback): void {
    this.#leftBytes -= chunk.length;
    if (this.#leftBytes < 0) done(refused(this.#what));
    else done(null, chunk);
  }
}

/**
 * Reads a tar of tracefs files, gzipped or not, into memory; returns contents by tracefs name. Ignores other files, so
 * a copy of all of tracefs works as well as the agent's archive, whatever directory it was packed from. Of duplicate
 * entries the last one counts, as in tar. Writes nothing to disk. The archive comes from a guest and is untrusted: its
 * size and number of entries are limited. Throws Failure that says what is wrong with it.
 */
export async function readMetadataArchive(
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<Map<string, Buffer>> {
  const found = new Map<string, Buffer>();
  const extract = tarExtract();
  const packed = Readable.from(source);
  const unpacked = pipeline(
    packed,
    new Cap(`is more than ${maxPackedBytes >> 20} MiB`, maxPackedBytes),
    (await isGzip(packed)) ? createGunzip() : new PassThrough(),
    new Cap(`unpacks to more than ${maxUnpackedBytes >> 20} MiB`, maxUnpackedBytes),
    extract,
  );
  try {
    for await (const entry of extract) {
      const name = usefulName(entry.header);
      if (name === undefined) {
        entry.resume();
        continue;
      }
      const pieces: Buffer[] = [];
      for await (const piece of entry) {
        if (!Buffer.isBuffer(piece)) throw new TypeError('tar-stream returned something other than bytes');
        pieces.push(piece);
      }
      found.set(name, Buffer.concat(pieces));
      if (found.size > maxKept) throw refused(`has more than ${maxKept} files`);
    }
    await unpacked;
  } catch (error) {
    // only the stream that failed first knows the reason
    const reason = await unpacked.then(
      () => error,
      (first: unknown) => (error instanceof Failure ? error : first),
    );
    if (reason instanceof Failure) throw reason;
    const code = reason instanceof Error ? reason.message : String(reason);
    throw refused(`is not a tar of tracefs files, gzipped or not: ${quoted(code)}`, reason);
  }
  return belowRoot(found);
}

/** Whether the stream starts with the gzip magic. Consumes nothing. */
async function isGzip(source: Readable): Promise<boolean> {
  for await (const first of source.iterator({ destroyOnReturn: false })) {
    if (!(first instanceof Uint8Array)) throw new TypeError('an archive is bytes');
    if (first.length === 0) continue;
    source.unshift(first);
    // a single byte is enough to tell: a tar begins with a file name
    return first[0] === 0x1f && (first.length === 1 || first[1] === 0x8b);
  }
  throw refused('is empty');
}

/** The entry's normalised path; undefined for entries that are not used. */
function usefulName({ name, type }: Header): string | undefined {
  if (type !== 'file') return undefined;
  const steps = name.split('/').filter((step) => step !== '' && step !== '.');
  const [last] = steps.slice(-1);
  if (last === undefined || steps.includes('..')) return undefined;
  const path = steps.join('/');
  return fileOfTracefs.test(path) || topFile.test(last) ? path : undefined;
}

/**
 * The files by their path in the packed tracefs. Its root is the topmost directory that has `events`: instances below
 * it have their own.
 */
function belowRoot(found: ReadonlyMap<string, Buffer>): Map<string, Buffer> {
  const roots = [...found.keys()]
    .filter((path) => /(?:^|\/)events\//.test(path) && fileOfTracefs.test(path))
    .map((path) => path.slice(0, path.search(/(?:^|\/)events\//)))
    .map((root) => (root === '' ? root : `${root}/`));
  const [root = ''] = roots.sort((a, b) => a.split('/').length - b.split('/').length);
  const files = new Map<string, Buffer>();
  for (const [path, content] of found) {
    if (!path.startsWith(root)) continue;
    const name = path.slice(root.length);
    if (topFile.test(name) || fileOfTracefs.exec(name)?.[1] === name) files.set(name, content);
  }
  // kallsyms and a few others come from outside tracefs
  for (const [path, content] of found) {
    const name = path.slice(path.lastIndexOf('/') + 1);
    if (elsewhere.has(name) && !files.has(name)) files.set(name, content);
  }
  return files;
}

/** Files packed from outside tracefs, such as `proc/kallsyms`. */
const elsewhere: ReadonlySet<string> = new Set(['kallsyms', 'uname', 'cpuinfo', 'version']);
