import { createHash } from 'node:crypto';
import { lstat, mkdir, readdir, realpath, rename, rm, stat, utimes } from 'node:fs/promises';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { codeOf } from '../../base/error-code.ts';
import { exitCode, Failure } from '../../base/failure.ts';
import { unfinishedFile } from '../../trace/file/unfinished-files.ts';
import { refusalOf } from '../../trace/file/write-replacing.ts';

/** Version of the tables; increased when older ones become unusable. */
const formatVersion = 2;
/** Limit for all cached tables together; the least recently used ones are removed. */
const maxCacheBytes = 4 * 2 ** 30;
const maxEntries = 64;
/** Age at which temporary directories of killed processes are removed. */
const strayMs = 24 * 3600 * 1000;
const hashLength = 16;
const entryName = /^[0-9a-f]{16}-[0-9a-f]{16}(?:\.\d+\.tmp)?$/;

/** Where the tables of queried traces are kept: `$XDG_CACHE_HOME` or `~/.cache`, then `virtio-trace/query`. */
export function queryCacheDir(environment: NodeJS.ProcessEnv = process.env): string {
  const home = environment['XDG_CACHE_HOME'];
  const caches = home !== undefined && isAbsolute(home) ? home : join(homedir(), '.cache');
  return join(caches, 'virtio-trace', 'query');
}

/**
 * The directory with the tables of some traces that are queried together. If there is none for their current state, calls
 * `fill` to create it, and removes older tables of the same paths. Only this user can read the directory. Throws Failure.
 * @param choice text that identifies the selected events: different events get different tables
 */
export async function cachedTables(
  traces: readonly string[],
  choice: string,
  fill: (dir: string) => Promise<void>,
  cacheDir = queryCacheDir(),
): Promise<string> {
  const paths = await Promise.all(traces.map((trace) => realpath(trace)));
  const pathHash = hashOf(JSON.stringify([paths, choice]));
  const stamps = await Promise.all(paths.map(stampOf));
  const name = `${pathHash}-${hashOf(JSON.stringify([formatVersion, stamps]))}`;
  const dir = join(cacheDir, name);
  const temporary = `${dir}.${process.pid}.tmp`;
  const ended = unfinishedFile(temporary);
  try {
    await makePrivate(cacheDir);
    if (await isDirectory(dir)) {
      const now = new Date();
      await utimes(dir, now, now);
      return dir;
    }
    await rm(temporary, { recursive: true, force: true });
    await mkdir(temporary, { mode: 0o700 });
    await fill(temporary);
    await rename(temporary, dir).catch(async (error: unknown) => {
      // another process may have created the same tables in the meantime
      if (!(await isDirectory(dir))) throw error;
    });
    await forget(cacheDir, name, pathHash);
    return dir;
  } catch (error) {
    const refused = await refusalOf(cacheDir, undefined, error);
    if (!(refused instanceof Failure) || refused === error) throw refused;
    const remedy = 'set XDG_CACHE_HOME to another directory';
    throw new Failure(refused.exitCode, refused.message, remedy, { cause: error });
  } finally {
    await rm(temporary, { recursive: true, force: true }).catch(() => undefined);
    ended();
  }
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, hashLength);
}

/** Texts that change when the trace changes: identity, size and time of its file, or of each file of a recording. */
async function stampOf(path: string): Promise<string[]> {
  const stamp = async (file: string): Promise<string> => {
    const { dev, ino, size, mtimeNs } = await stat(file, { bigint: true });
    return [dev, ino, size, mtimeNs].join(' ');
  };
  if (!(await stat(path)).isDirectory()) return [await stamp(path)];
  const names = (await readdir(path)).sort();
  return Promise.all(names.map(async (name) => `${name} ${await stamp(join(path, name))}`));
}

/** Creates the cache directory, and checks that no other user can write to it. */
async function makePrivate(cacheDir: string): Promise<void> {
  await mkdir(cacheDir, { recursive: true, mode: 0o700 });
  const found = await lstat(cacheDir);
  if (found.isDirectory() && found.uid === process.geteuid?.() && (found.mode & 0o077) === 0) return;
  throw new Failure(
    exitCode.notPermitted,
    `${cacheDir}: not a directory that only this user can use`,
    'remove it, or set XDG_CACHE_HOME',
  );
}

async function isDirectory(path: string): Promise<boolean> {
  const found = await lstat(path).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  });
  return found?.isDirectory() === true;
}

/** Removes tables of older states of the traces, and the least recently used tables beyond the limits. */
async function forget(cacheDir: string, current: string, pathHash: string): Promise<void> {
  const entries: { readonly name: string; readonly bytes: number; readonly usedMs: number }[] = [];
  for (const name of await readdir(cacheDir)) {
    if (!entryName.test(name) || name === current) continue;
    const { mtimeMs } = await lstat(join(cacheDir, name));
    const isStray = name.endsWith('.tmp');
    const isStale = name.startsWith(pathHash);
    if (isStray ? Date.now() - mtimeMs > strayMs : isStale) await remove(join(cacheDir, name));
    else if (!isStray) entries.push({ name, bytes: await sizeOf(join(cacheDir, name)), usedMs: mtimeMs });
  }
  let bytes = await sizeOf(join(cacheDir, current));
  for (const [index, entry] of entries.sort((a, b) => b.usedMs - a.usedMs).entries()) {
    bytes += entry.bytes;
    if (index + 1 >= maxEntries || bytes > maxCacheBytes) await remove(join(cacheDir, entry.name));
  }
}

async function remove(dir: string): Promise<void> {
  await rm(dir, { recursive: true, force: true });
}

async function sizeOf(dir: string): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(dir)) bytes += (await lstat(join(dir, name))).size;
  return bytes;
}
