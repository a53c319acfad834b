import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Failure, exitCode } from '../../../src/failure.ts';
import { debianPackage } from './debian-package.ts';
import { cacheDir } from './paths.ts';
import { tool } from './tool.ts';
import { vmlinux } from './vmlinux.ts';

export interface GuestKernel {
  /** Names the kernel in cache keys and messages. */
  readonly version: string;
  /** bzImage or vmlinux. */
  readonly image: string;
  /** Directory below which the `.ko` files are; `undefined`: everything is built in. */
  readonly modules: string | undefined;
}

/** The virtio modules in loading order. */
export const virtioModules = [
  'virtio_ring',
  'virtio',
  'virtio_pci_legacy_dev',
  'virtio_pci_modern_dev',
  'virtio_pci',
  'virtio_console',
] as const;

/**
 * The kernel that guests boot: `GUEST_KERNEL` (an image, with its modules below `GUEST_MODULES`), else Debian's
 * `linux-image-amd64` from the cache, downloaded the first time. Blocks.
 */
export function guestKernel(): GuestKernel {
  const image = process.env['GUEST_KERNEL'];
  return image === undefined ? debianKernel() : namedKernel(image, process.env['GUEST_MODULES']);
}

function namedKernel(image: string, modules: string | undefined): GuestKernel {
  for (const path of modules === undefined ? [image] : [image, modules]) {
    if (!existsSync(path)) {
      throw new Failure(
        exitCode.missing,
        `no guest kernel: ${path} is not there`,
        'check GUEST_KERNEL, GUEST_MODULES',
      );
    }
  }
  return { version: image, image, modules };
}

function debianKernel(): GuestKernel {
  const name = cachedKernel() ?? newestKernel();
  const version = name.replace('linux-image-', '');
  const dir = debianPackage(name, [
    './boot/*',
    '*/modules.*',
    '*/kernel/drivers/virtio/*',
    '*/kernel/drivers/char/*',
  ]);
  const image = vmlinux(version, join(dir, 'boot', `vmlinuz-${version}`));
  return { version, image, modules: join(dir, 'lib/modules', version) };
}

/** A kernel from an earlier run is kept: asking apt again takes a second and may need the network. */
function cachedKernel(): string | undefined {
  if (!existsSync(cacheDir())) return undefined;
  const names = readdirSync(cacheDir()).filter((name) => name.startsWith('linux-image-'));
  return names.sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).at(-1);
}

function newestKernel(): string {
  const depends = tool('apt-cache', ['depends', 'linux-image-amd64']);
  const name = /Depends: (linux-image-\S+)/.exec(depends)?.[1];
  if (name === undefined) {
    throw new Failure(
      exitCode.missing,
      'no guest kernel: apt knows no linux-image-amd64',
      'run apt-get update, or name a kernel image in GUEST_KERNEL and its modules in GUEST_MODULES',
    );
  }
  return name;
}
