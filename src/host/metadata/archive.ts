import { Readable, Transform, type TransformCallback } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract as tarExtract, type Header } from 'tar-stream';
import { exitCode, Failure } from '../../failure.ts';
import { quoted } from '../../quoted.ts';

/** Of the tar, headers and padding included; a kernel's metadata is 3 to 8 MiB. */
const maxUnpackedBytes = 64 << 20;
/** Of the gzip'ed archive, whatever it unpacks to. */
const maxPackedBytes = 64 << 20;
/** Event ids have 16 bits; a kernel has some 2,000 formats. */
const maxEntries = 70_000;

const word = '[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}';
/** The names of the agent's archive, and of a directory that was packed with tar. */
const fileName = new RegExp(
  `^(?:\\./)?(${word}|events/header_(?:page|event)|events/${word}/${word}/format|per_cpu/cpu\\d{1,5}/stats)$`,
);
const directoryName = new RegExp(
  `^(?:\\.|(?:\\./)?(?:events(?:/${word}){0,2}|per_cpu(?:/cpu\\d{1,5})?)?)/?$`,
);

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
 * Reads a gzip'ed tar of tracefs files into memory: contents by name, without a leading `./`. Nothing is written
 * anywhere. The archive is a guest's and may be anything: size, number and names of its entries are bounded.
 * Throws Failure that says what is wrong with it.
 */
export async function readMetadataArchive(
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<Map<string, Buffer>> {
  const contents = new Map<string, Buffer>();
  const extract = tarExtract();
  let entries = 0;
  const unpacked = pipeline(
    Readable.from(source),
    new Cap(`is more than ${maxPackedBytes >> 20} MiB`, maxPackedBytes),
    createGunzip(),
    new Cap(`unpacks to more than ${maxUnpackedBytes >> 20} MiB`, maxUnpackedBytes),
    extract,
  );
  try {
    for await (const entry of extract) {
      if (++entries > maxEntries) throw refused(`has more than ${maxEntries} entries`);
      const name = checkedName(entry.header);
      if (name === undefined) {
        entry.resume();
        continue;
      }
      if (contents.has(name)) throw refused(`has ${name} twice`);
      const pieces: Buffer[] = [];
      for await (const piece of entry) {
        if (!Buffer.isBuffer(piece)) throw new TypeError('tar-stream gave something else than bytes');
        pieces.push(piece);
      }
      contents.set(name, Buffer.concat(pieces));
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
    throw refused(`is no gzip'ed tar of tracefs files: ${quoted(code)}`, reason);
  }
  return contents;
}

/** The name to keep a file under; undefined for a directory, which holds nothing. */
function checkedName({ name, type }: Header): string | undefined {
  if (type === 'directory') {
    if (!directoryName.test(name)) throw refused(`has a directory ${quoted(name)}`);
    return undefined;
  }
  if (type !== 'file') throw refused(`has an entry ${quoted(name)} of type ${quoted(type ?? '')}`);
  const kept = fileName.exec(name)?.[1];
  if (kept === undefined) throw refused(`has a file ${quoted(name)}`);
  return kept;
}
