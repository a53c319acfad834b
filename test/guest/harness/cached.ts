import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { holdLock } from '../../file-lock.ts';
import { cacheDir } from './paths.ts';

/**
 * Path of `name` in the cache. If it does not exist, `make` is called to create the file or directory at the given
 * path. Two processes may do this at once: each makes its own, and the first rename wins.
 */
export function cached(name: string, make: (path: string) => void): string {
  const path = join(cacheDir(), name);
  if (existsSync(path)) return path;
  const work = workDir();
  try {
    const made = join(work, basename(name));
    make(made);
    keep(made, path);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return path;
}

/** Like `cached`, for what takes time to create: a second process waits until the first one has created it. */
export async function cachedLater(name: string, make: (path: string) => Promise<void>): Promise<string> {
  const path = join(cacheDir(), name);
  if (existsSync(path)) return path;
  const work = workDir();
  const release = await holdLock(join(cacheDir(), `.lock-${name}`));
  try {
    if (existsSync(path)) return path;
    const made = join(work, basename(name));
    await make(made);
    keep(made, path);
    return path;
  } finally {
    release();
    rmSync(work, { recursive: true, force: true });
  }
}

function workDir(): string {
  mkdirSync(cacheDir(), { recursive: true });
  return mkdtempSync(join(cacheDir(), '.making-'));
}

function keep(made: string, path: string): void {
  try {
    renameSync(made, path);
  } catch (error) {
    // ENOTEMPTY or EEXIST: another process has created the same directory first.
    if (!existsSync(path)) throw error;
  }
}
