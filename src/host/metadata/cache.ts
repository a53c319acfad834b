import { createHash } from 'node:crypto';
import { constants, lstatSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { errorCode } from '../../base/error-code.ts';
import { Failure } from '../../base/failure.ts';
import { readMetadataArchive } from '../../trace/metadata/archive.ts';

/** Size limit for all guests together; one takes 0.5 to 1 MB. */
const maxCacheBytes = 64 << 20;
const maxFiles = 256;
const suffix = '.tar.gz';

/**
 * A cache of each guest's metadata, so that the next recording fetches only what has changed. One file per guest
 * directory, in `~/.cache/trace-host`, which is used only if no other user can change it. Nothing depends on it:
 * files that cannot be read or written are ignored, and content is used only where the guest's current digests
 * confirm it.
 */
export class MetadataCache {
  readonly #dir: string;
  readonly #path: string;

  /**
   * @param guestDir absolute path of the guest's directory, without links, so that guests never share a file
   * @param cacheHome the directory of the user's caches
   */
  constructor(guestDir: string, cacheHome = cacheHomeOf(process.env)) {
    this.#dir = join(cacheHome, 'trace-host');
    const name = createHash('sha256').update(guestDir).digest('hex').slice(0, 32);
    this.#path = join(this.#dir, `${name}${suffix}`);
  }

  /** The contents that were stored last; undefined if there are none, or they are damaged. */
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

  /** Stores an archive that was read without errors, and deletes the oldest files beyond the limits. */
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

/** The user's cache directory. The XDG specification says to ignore a relative path. */
function cacheHomeOf({ XDG_CACHE_HOME: given = '' }: NodeJS.ProcessEnv): string {
  return isAbsolute(given) ? given : join(homedir(), '.cache');
}

/** Removes a file of the cache; ignores file system errors. */
function discard(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch (error) {
    if (errorCode(error) === '') throw error;
  }
}

/** Whether `path` is a directory (not a link) of this user that nobody else can write to. */
function isPrivate(path: string): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined || !found.isDirectory()) return false;
  return found.uid === process.geteuid?.() && (found.mode & 0o022) === 0;
}

/** Whether `path` is a private directory (`isPrivate`), or does not exist and can be created in one. */
function isPrivateOrMissing(path: string): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false });
  return isPrivate(found === undefined ? dirname(path) : path);
}
