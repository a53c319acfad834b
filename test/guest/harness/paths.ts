import { homedir } from 'node:os';
import { join } from 'node:path';
import { repoRoot } from '../../repo-root.ts';

export { repoRoot };

/** C sources and the init script of the guest. */
export const programsDir = join(repoRoot, 'test/guest/programs');

/**
 * Directory where kernels, programs, images and saved guests are kept between runs, for all checkouts:
 * `VIRTIO_TRACE_CACHE`, else `virtio-trace` in the user's cache directory.
 */
export function cacheDir(): string {
  const { VIRTIO_TRACE_CACHE, XDG_CACHE_HOME } = process.env;
  return VIRTIO_TRACE_CACHE ?? join(XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'virtio-trace');
}
