import { createHash } from 'node:crypto';
import { constants, lstatSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { errorCode } from '../../base/error-code.ts';
import { Failure } from '../../base/failure.ts';
import { readMetadataArchive } from '../../trace/metadata/archive.ts';

/** All guests' together; one has 0.5 to 1 MB. */
const maxCacheBytes = 64 << 20;
const maxFiles = 256;
const suffix = '.tar.gz';

/**
 * What the last recording of each guest fetched, so that the next one fetches only what has changed. A file of its own for
 * each guest's directory, in `~/.cache/trace-host`, which is used only while it and what it is in belong to this user
 * alone. Nothing depends on it: what cannot be read or written is done without, and what is in it is believed only as far
 * as the guest's digests of this moment go.
 */
export class MetadataCache {
  readonly #dir: string;
  readonly #path: string;

  /**
   * @param guestDir absolute path of the guest's directory, without links: what one guest said is never another's
   * @param cacheHome where users' caches are
   */
  constructor(guestDir: string, cacheHome = cacheHomeOf(process.env)) {
    this.#dir = join(cacheHome, 'trace-host');
    const name = createHash('sha256').update(guestDir).digest('hex').slice(0, 32);
    this.#path = join(this.#dir, `${name}${suffix}`);
  }

  /** The contents that were kept last; undefined when there are none that are good. */
  async read(): Promise<Map<string, Buffer> | undefined> {
    try {
      if (!isPrivate(this.#dir)) return undefined;
      const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
      const file = await open(this.#path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
      if (!(await file.stat()).isFile()) {
        await file.close();
        return undefined;
      }
      return await readMetadataArchive(file.createReadStream());
    } catch (error) {
      if (error instanceof Failure || errorCode(error) !== '') return undefined;
      throw error;
    }
  }

  /** Keeps an archive that has been read and found good, and forgets the oldest others beyond the limits. */
  write(packed: Uint8Array): void {
    const fresh = `${this.#path}.${process.pid}`;
    try {
      if (!isPrivateOrMissing(dirname(this.#dir))) return;
      mkdirSync(this.#dir, { recursive: true, mode: 0o700 });
      if (!isPrivate(this.#dir)) return;
      rmSync(fresh, { force: true });
      writeFileSync(fresh, packed, { mode: 0o600, flag: 'wx' });
      renameSync(fresh, this.#path);
      this.#forget();
    } catch (error) {
      if (errorCode(error) === '') throw error;
      discard(fresh);
    }
  }

  #forget(): void {
    const files = readdirSync(this.#dir)
      .filter((name) => /^[0-9a-f]{32}\.tar\.gz(\.\d+)?$/.test(name))
      .map((name) => ({ path: join(this.#dir, name), stat: lstatSync(join(this.#dir, name)) }))
      .toSorted((a, b) => b.stat.mtimeMs - a.stat.mtimeMs);
    let bytes = 0;
    for (const [index, { path, stat }] of files.entries()) {
      bytes += stat.size;
      if (index >= maxFiles || bytes > maxCacheBytes) rmSync(path, { force: true });
    }
  }
}

/** Of the XDG specification: a relative path does not count. */
function cacheHomeOf({ XDG_CACHE_HOME: given = '' }: NodeJS.ProcessEnv): string {
  return isAbsolute(given) ? given : join(homedir(), '.cache');
}

/** What cannot be removed was never made. */
function discard(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch (error) {
    if (errorCode(error) === '') throw error;
  }
}

/** A directory, no link, of this user's, into which nobody else writes. */
function isPrivate(path: string): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined || !found.isDirectory()) return false;
  return found.uid === process.geteuid?.() && (found.mode & 0o022) === 0;
}

/** As above, for a directory that exists or can be created in such a one. */
function isPrivateOrMissing(path: string): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false });
  return isPrivate(found === undefined ? dirname(path) : path);
}
