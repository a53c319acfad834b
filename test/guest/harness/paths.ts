import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

function findRoot(): string {
  let dir = dirname(fileURLToPath(import.meta.url));
  // The compiled file is deeper than its source.
  while (!existsSync(join(dir, 'package.json'))) dir = dirname(dir);
  return dir;
}

/** The checkout's root, from the source as from `dist`. */
export const repoRoot = findRoot();

/** C sources and the init script of the guest. */
export const programsDir = join(repoRoot, 'test/guest/programs');

/** Where kernels, programs and images are kept between runs: `VIRTIO_TRACE_CACHE`, else `.cache/guest` in the checkout. */
export function cacheDir(): string {
  return process.env['VIRTIO_TRACE_CACHE'] ?? join(repoRoot, '.cache/guest');
}
