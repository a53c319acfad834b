import { join } from 'node:path';
import { debianDisk } from './debian-disk.ts';
import type { Guest } from './guest.ts';
import { bootMachine } from './machine.ts';
import type { BootOptions } from './machine.ts';
import { tool } from './tool.ts';
import { vmlinux } from './vmlinux.ts';

/**
 * A disk of a fresh Debian in `dir`, for several guests one after another: each finds what the previous one has
 * written. Blocks.
 */
export function freshDebianDisk(dir: string): string {
  const path = join(dir, 'debian.img');
  tool('cp', ['--sparse=always', debianDisk().disk, path]);
  return path;
}

/**
 * Boots Debian with systemd, as on an ordinary machine, and returns when the guest accepts commands; the caller
 * closes it.
 */
export function bootDebian(disk: string, options: BootOptions): Promise<Guest> {
  const { kernel, initrd, kernelVersion } = debianDisk();
  return bootMachine(
    {
      kernel: {
        version: kernelVersion,
        image: vmlinux(`debian-${kernelVersion}`, kernel),
        modules: undefined,
      },
      image: initrd,
      appendKernel: ['root=/dev/vda', 'rw'],
      qemuArgs: ['-drive', `file=${disk},if=virtio,format=raw`],
      memoryMb: 768 + 48 * (options.maxCpus ?? options.cpus),
    },
    options,
  );
}
