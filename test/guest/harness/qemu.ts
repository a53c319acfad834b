import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import type { GuestKernel } from './kernel.ts';
import { portArguments } from './ports.ts';
import type { PlacedPort } from './ports.ts';

export interface QemuOptions {
  readonly kernel: GuestKernel;
  /** The initramfs. */
  readonly image: string;
  readonly accel: string;
  readonly cpus: number;
  readonly maxCpus: number;
  readonly memoryMb: number;
  readonly appendKernel: readonly string[];
  readonly ports: readonly PlacedPort[];
  /** Gets the files below. */
  readonly dir: string;
  readonly extraArgs: readonly string[];
}

/** QEMU's own files in the guest's directory. */
export const qemuFiles = { console: 'console', qmp: 'qmp', shell: 'shell' } as const;

/** `panic=-1` with `-no-reboot`: a kernel that panics ends QEMU instead of waiting for the test's timeout. */
const kernelOptions = 'console=ttyS0 loglevel=5 panic=-1 mitigations=off random.trust_cpu=on no_timer_check';

/** Starts QEMU; it ends with this process, even when that is killed. */
export function startQemu(options: QemuOptions): ChildProcess {
  const { kernel, image, accel, cpus, maxCpus, memoryMb, dir } = options;
  const args = ['--pdeathsig', 'KILL', 'qemu-system-x86_64'];
  args.push('-nodefaults', '-no-user-config', '-no-reboot', '-display', 'none', '-machine', 'pc');
  // Five levels of page tables cost TCG time and show nothing.
  args.push('-accel', accel, '-cpu', accel === 'kvm' ? 'host' : 'max,la57=off');
  args.push('-smp', `${cpus},maxcpus=${maxCpus}`, '-m', `${memoryMb}M`);
  args.push('-kernel', kernel.image, '-initrd', image);
  args.push('-append', [kernelOptions, ...options.appendKernel].join(' '));
  args.push('-serial', `file:${join(dir, qemuFiles.console)}`);
  args.push('-qmp', `unix:${join(dir, qemuFiles.qmp)},server=on,wait=off`);
  args.push(...portArguments(options.ports));
  // Last, so that the ports under test have the numbers that they would have without it.
  args.push('-device', 'virtio-serial-pci,id=harness');
  args.push('-chardev', `socket,id=shell,path=${join(dir, qemuFiles.shell)},server=on,wait=off`);
  args.push('-device', 'virtserialport,bus=harness.0,nr=1,chardev=shell,name=harness.shell');
  args.push(...options.extraArgs);
  return spawn('setpriv', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}
