import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Failure, exitCode } from '../../../src/base/failure.ts';
import { debianPackage } from './debian-package.ts';
import { debianOptions, type Foreign } from './foreign.ts';
import { cached } from './cached.ts';
import { tool } from './tool.ts';
import { vmlinux } from './vmlinux.ts';

export interface GuestKernel {
  /** Name of the kernel in cache keys and messages. */
  readonly version: string;
  /** Default: x86-64. */
  readonly architecture?: Foreign;
  /** bzImage or vmlinux; for arm64, Image. */
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
  'virtio_mmio',
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

const members = ['./boot/*', '*/modules.*', '*/kernel/drivers/virtio/*', '*/kernel/drivers/char/*'];

/** The kernel that a Debian meta package such as `linux-image-cloud-amd64` depends on. Blocks. */
export function debianKernel(meta = 'linux-image-amd64'): GuestKernel {
  const { version, dir } = unpackedKernel(meta);
  const image = vmlinux(version, join(dir, 'boot', `vmlinuz-${version}`));
  return { version, image, modules: join(dir, 'lib/modules', version) };
}

/** Like `debianKernel`, for arm64: of `linux-image-arm64` or another package. Blocks. */
export function arm64Kernel(meta: string): GuestKernel {
  const { version, dir } = unpackedKernel(meta, 'arm64');
  const image = join(dir, 'boot', `vmlinuz-${version}`);
  return { version, architecture: 'arm64', image, modules: join(dir, 'lib/modules', version) };
}

function unpackedKernel(meta: string, architecture?: Foreign): { version: string; dir: string } {
  // one from an earlier run is cached: asking apt again takes a second and may need the network
  const known = cached(`newest-${meta}`, (path) => writeFileSync(path, newestKernel(meta, architecture)));
  const name = readFileSync(known, 'utf8');
  return { version: name.replace('linux-image-', ''), dir: debianPackage(name, members, name, architecture) };
}

/** Modules with which a guest with Debian's kernel reports a panic to QEMU's `pvpanic`, in loading order. Blocks. */
export function pvpanicModules({ version, modules }: GuestKernel): string[] {
  if (modules === undefined) return [];
  const dir = debianPackage(`linux-image-${version}`, ['*/misc/pvpanic/*'], `pvpanic-${version}`);
  const all = readdirSync(dir, { recursive: true, encoding: 'utf8' });
  return ['pvpanic', 'pvpanic-mmio'].map((name) => {
    const path = all.find((candidate) => basename(candidate).startsWith(`${name}.ko`));
    if (path === undefined) throw new Failure(exitCode.missing, `Debian's ${version} has no ${name}`);
    return join(dir, path);
  });
}

function newestKernel(meta: string, architecture?: Foreign): string {
  const depends = tool('apt-cache', [...debianOptions(architecture), 'depends', meta]);
  const name = /Depends: (linux-image-\S+)/.exec(depends)?.[1];
  if (name === undefined) {
    throw new Failure(
      exitCode.missing,
      `no guest kernel: apt knows no ${meta}`,
      'run apt-get update, or name a kernel image in GUEST_KERNEL and its modules in GUEST_MODULES',
    );
  }
  return name;
}
