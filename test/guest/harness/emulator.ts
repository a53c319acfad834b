import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from '../../../src/base/failure.ts';
import { cached } from './cached.ts';
import { debianPackage } from './debian-package.ts';
import { tool } from './tool.ts';

export type QemuMachine = 'pc' | 'microvm' | 'virt';

/** A QEMU, with the options that come before all others. */
export interface Emulator {
  readonly program: string;
  readonly args: readonly string[];
}

const installed = 'qemu-system-x86_64';

/** Whether a QEMU may run old code again and again after a guest has changed it (docs/kernel-facts.md, 40). */
export function runsOldCode(qemu: string): boolean {
  return isBefore(qemu, 8, 1);
}

/** Whether a text has a version before this one. */
export function isBefore(text: string, major: number, minor: number): boolean {
  const [, first, second] = /(\d+)\.(\d+)/.exec(text) ?? [];
  if (first === undefined) return false;
  return Number(first) < major || (Number(first) === major && Number(second) < minor);
}

let found: Emulator | undefined;

/**
 * The QEMU for a machine: that of this machine. If it emulates x86 and may run old code, it is Debian's backport of a newer
 * one, unpacked into the cache, if there is one. Blocks.
 */
export function emulator(machine: QemuMachine, accel: string): Emulator {
  if (machine === 'virt') return { program: 'qemu-system-aarch64', args: [] };
  if (accel === 'kvm') return { program: installed, args: [] };
  found ??= emulatorOfPc();
  return found;
}

function emulatorOfPc(): Emulator {
  if (!runsOldCode(tool(installed, ['--version']))) return { program: installed, args: [] };
  // without the network the trial takes long, so its result is remembered until the host boots again
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  const known = cached(`emulator-${boot}`, (path) => writeFileSync(path, backport() ?? installed));
  const program = readFileSync(known, 'utf8');
  if (program === installed) return { program, args: [] };
  // the backport looks for firmware beside itself
  const firmware = tool(installed, ['-L', 'help']).trim().split('\n');
  return { program, args: firmware.flatMap((path) => ['-L', path]) };
}

/** Undefined if there is none for this release, no network, or no library that it needs. */
function backport(): string | undefined {
  try {
    const dir = debianPackage('qemu-system-x86', ['*/bin/qemu-system-x86_64'], 'qemu-backports', 'backports');
    const program = join(dir, 'usr/bin', installed);
    return runsOldCode(tool(program, ['--version'])) ? undefined : program;
  } catch (cause) {
    if (!(cause instanceof Failure)) throw cause;
    return undefined;
  }
}

/** The version of the QEMU for a machine. Blocks. */
export function emulatorVersion(machine: QemuMachine, accel: string): string {
  return tool(emulator(machine, accel).program, ['--version']);
}
