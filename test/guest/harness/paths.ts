import { join } from 'node:path';
import { repoRoot } from '../../repo-root.ts';

export { repoRoot };

/** C sources and the init script of the guest. */
export const programsDir = join(repoRoot, 'test/guest/programs');

/** Where kernels, programs and images are kept between runs: `VIRTIO_TRACE_CACHE`, else `.cache/guest` in the checkout. */
export function cacheDir(): string {
  return process.env['VIRTIO_TRACE_CACHE'] ?? join(repoRoot, '.cache/guest');
}
