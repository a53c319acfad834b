import { PassThrough, Readable, Transform, type TransformCallback } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract as tarExtract, type Header } from 'tar-stream';
import { exitCode, Failure } from '../../base/failure.ts';
import { quoted } from '../../base/quoted.ts';

/** Of the tar, headers and padding included; a kernel's metadata is 3 to 8 MiB. */
const maxUnpackedBytes = 64 << 20;
/** Of the gzip'ed archive, whatever it unpacks to. */
const maxPackedBytes = 64 << 20;
/** Event ids have 16 bits; a kernel has some 2,000 formats. */
const maxKept = 70_000;

/** Files of tracefs, under their names there, that are of use at all. Other files of its `events` are not. */
const fileOfTracefs =
  /^(?:|.*\/)(events\/(?:header_(?:page|event)|[^/]+\/[^/]+\/format)|per_cpu\/cpu\d{1,5}\/stats)$/s;
/** What the agent packs beside these, and what stands at the top of a tracefs that somebody has packed. */
const topFile = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;

function refused(reason: string, cause?: unknown): Failure {
  return new Failure(
    exitCode.failed,
    `the guest's metadata ${reason}`,
    'fetch the metadata again; a guest that goes on sending this is broken or hostile',
    { cause },
  );
}

/** Passes bytes on until there are more than there may be. */
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
 * Reads a tar of tracefs files, gzip'ed or not, into memory: contents by name in tracefs. What else is in it is passed
 * over, so a copy of all of tracefs, from whatever directory it was packed, does as well as what the agent sends; of an
 * entry that is there twice the later one counts, as it does for tar. Nothing is written anywhere. The archive is a
 * guest's and may be anything: its size and the number of its entries are bounded.
 * Throws Failure that says what is wrong with it.
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
        if (!Buffer.isBuffer(piece)) throw new TypeError('tar-stream gave something else than bytes');
        pieces.push(piece);
      }
      found.set(name, Buffer.concat(pieces));
      if (found.size > maxKept) throw refused(`has more than ${maxKept} files`);
    }
    await unpacked;
  } catch (error) {
    // The stream that failed first says why; what it broke downstream says only that it broke.
    const reason = await unpacked.then(
      () => error,
      (first: unknown) => (error instanceof Failure ? error : first),
    );
    if (reason instanceof Failure) throw reason;
    const code = reason instanceof Error ? reason.message : String(reason);
    throw refused(`is no tar of tracefs files, gzip'ed or not: ${quoted(code)}`, reason);
  }
  return belowRoot(found);
}

/** Whether the first bytes are a gzip's. They stay in the stream. */
async function isGzip(source: Readable): Promise<boolean> {
  for await (const first of source.iterator({ destroyOnReturn: false })) {
    if (!(first instanceof Uint8Array)) throw new TypeError('an archive is bytes');
    if (first.length === 0) continue;
    source.unshift(first);
    // A gzip that comes a byte at a time is told by its first one; a tar begins with a name.
    return first[0] === 0x1f && (first.length === 1 || first[1] === 0x8b);
  }
  throw refused('is empty');
}

/** The name to look at again when all are known; undefined for what is of no use. */
function usefulName({ name, type }: Header): string | undefined {
  if (type !== 'file') return undefined;
  const steps = name.split('/').filter((step) => step !== '' && step !== '.');
  const [last] = steps.slice(-1);
  if (last === undefined || steps.includes('..')) return undefined;
  const path = steps.join('/');
  return fileOfTracefs.test(path) || topFile.test(last) ? path : undefined;
}

/**
 * Files of the tracefs that was packed, without the directory before them. Instances have an `events` of their own
 * below it, so the one that is nearest to the top is meant.
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
  // Symbols and others come from beside tracefs.
  for (const [path, content] of found) {
    const name = path.slice(path.lastIndexOf('/') + 1);
    if (elsewhere.has(name) && !files.has(name)) files.set(name, content);
  }
  return files;
}

/** Files that a person packs from elsewhere, such as `proc/kallsyms`. */
const elsewhere: ReadonlySet<string> = new Set(['kallsyms', 'uname', 'cpuinfo', 'version']);
