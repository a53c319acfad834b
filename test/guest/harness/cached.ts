import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { cacheDir } from './paths.ts';

/**
 * Path of `name` in the cache. `make` is called when it is not there yet, and makes the file or directory at the
 * path that it is given. Two processes may do this at once: each makes its own, and the first rename wins.
 */
export function cached(name: string, make: (path: string) => void): string {
  const path = join(cacheDir(), name);
  if (existsSync(path)) return path;
  mkdirSync(cacheDir(), { recursive: true });
  const work = mkdtempSync(join(cacheDir(), '.making-'));
  try {
    const made = join(work, basename(name));
    make(made);
    try {
      renameSync(made, path);
    } catch (error) {
      // ENOTEMPTY or EEXIST: another process was first with the same directory.
      if (!existsSync(path)) throw error;
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return path;
}
