import { spawnSync } from 'node:child_process';
import { accessSync, constants, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { release, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { cached } from './cached.ts';
import { emulatorVersion, isBefore, runsOldCode } from './emulator.ts';
import type { GuestKernel } from './kernel.ts';

/**
 * QEMU's `-accel` value: `GUEST_ACCEL`, else `kvm` if a kernel actually boots with it, else TCG, with a thread for
 * each CPU where the kernel endures that; always TCG for another architecture. The trial takes seconds and blocks; its
 * result is remembered until the host boots again.
 */
export function accelerator(kernel: GuestKernel): string {
  // the panic of tcgThread is one of x86; and when the CPUs of an arm64 guest with 6.12 took turns, turning a tracer on
  // had not ended after two minutes
  if (kernel.architecture !== undefined) return 'tcg,thread=multi';
  const named = process.env['GUEST_ACCEL'] ?? (hasKvm(kernel) ? 'kvm' : 'tcg');
  if (named !== 'tcg') return named;
  return `tcg,thread=${tcgThread(kernel.version, emulatorVersion('pc', 'tcg'))}`;
}

function hasKvm(kernel: GuestKernel): boolean {
  if (!kvmIsThere()) return false;
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  const path = cached(`accel-${release()}-${boot}`, (file) =>
    writeFileSync(file, kvmBoots(kernel) ? 'kvm' : 'tcg'),
  );
  return readFileSync(path, 'utf8') === 'kvm';
}

/**
 * Whether emulated CPUs run in a thread each or take turns in one. Before version 8.1, QEMU may run old code again and
 * again after one CPU has changed it, if another was just translating it (docs/kernel-facts.md, 40). Linux changes its
 * code when events and tracers are turned on and off, and from 6.3 on it panics at an old breakpoint.
 *
 * @param kernel version, or the path of an image that has the version in its name; others count as new
 * @param qemu what QEMU says of its version
 */
export function tcgThread(kernel: string, qemu: string): 'multi' | 'single' {
  return isBefore(basename(kernel), 6, 3) || !runsOldCode(qemu) ? 'multi' : 'single';
}

function kvmIsThere(): boolean {
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Boots a kernel without a root file system: if it runs, it panics, and with `panic=-1` QEMU then exits. */
function kvmBoots(kernel: GuestKernel): boolean {
  const dir = mkdtempSync(join(tmpdir(), 'virtio-trace-kvm-'));
  const log = join(dir, 'console');
  const args = [
    '-nodefaults',
    '-no-user-config',
    '-no-reboot',
    '-display',
    'none',
    '-accel',
    'kvm',
    '-cpu',
    'host',
  ];
  args.push(
    '-m',
    '256',
    '-kernel',
    kernel.image,
    '-append',
    'console=ttyS0 panic=-1',
    '-serial',
    `file:${log}`,
  );
  try {
    const done = spawnSync('qemu-system-x86_64', args, {
      timeout: 30_000,
      killSignal: 'SIGKILL',
      stdio: 'ignore',
    });
    return done.status === 0 && readFileSync(log, 'utf8').includes('Kernel panic');
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
