import { spawnSync } from 'node:child_process';
import { accessSync, constants, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { cached } from './cached.ts';
import type { GuestKernel } from './kernel.ts';

/**
 * QEMU's `-accel` value: TCG for another architecture; `GUEST_ACCEL`, else `kvm` if a kernel actually boots with it, else TCG. The trial takes
 * seconds and blocks; its result is remembered until the host boots again.
 */
export function accelerator(kernel: GuestKernel): string {
  if (kernel.architecture !== undefined) return tcg;
  const named = process.env['GUEST_ACCEL'];
  if (named !== undefined) return named === 'tcg' ? tcg : named;
  if (!kvmIsThere()) return tcg;
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  const path = cached(`accel-${release()}-${boot}`, (file) =>
    writeFileSync(file, kvmBoots(kernel) ? 'kvm' : tcg),
  );
  return readFileSync(path, 'utf8');
}

const tcg = 'tcg,thread=multi';

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
