import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { emulator, emulatorVersion, type QemuMachine } from './emulator.ts';
import type { GuestKernel } from './kernel.ts';
import { portArguments, portDevice } from './ports.ts';
import type { PlacedPort } from './ports.ts';

export interface QemuOptions {
  readonly machine: QemuMachine;
  readonly kernel: GuestKernel;
  /** The initramfs. */
  readonly image: string;
  readonly accel: string;
  readonly cpus: number;
  readonly maxCpus: number;
  readonly memoryMb: number;
  readonly appendKernel: readonly string[];
  readonly ports: readonly PlacedPort[];
  /** Directory for the files below. */
  readonly dir: string;
  /** Location of the guest's memory; default: QEMU's own. */
  readonly memory?: GuestMemory;
  /** Whether QEMU has a second QMP socket in addition to the harness's own; not part of the guest's state. */
  readonly monitor?: boolean;
  readonly extraArgs: readonly string[];
}

/** A guest's memory in a file. */
export interface GuestMemory {
  readonly file: string;
  /** True: the guest's writes go to the file; false: they stay in the guest, and the file is unchanged. */
  readonly shared: boolean;
  /** The machine does not boot, but waits for the state that belongs to the memory. */
  readonly incoming?: boolean;
}

/** QEMU's own files in the guest's directory. */
export const qemuFiles = { console: 'console', qmp: 'qmp', monitor: 'monitor', shell: 'shell' } as const;

/** `panic=-1` with `-no-reboot`: a kernel that panics ends QEMU instead of waiting for the test's timeout. */
const kernelOptions = 'loglevel=5 panic=-1 mitigations=off random.trust_cpu=on no_timer_check';

/** `GUEST_KEEP`: a guest is closed when its test process ends successfully, and otherwise left running. */
export const keepsGuests = process.env['GUEST_KEEP'] === '1';

/** Starts QEMU; it ends with this process, even when that is killed. */
export function startQemu(options: QemuOptions): ChildProcess {
  const { dir, memory } = options;
  const args = [
    ...machineArguments(options),
    ...(memory === undefined ? [] : memoryArguments(options, memory)),
  ];
  args.push('-serial', `file:${join(dir, qemuFiles.console)}`);
  args.push('-qmp', `unix:${join(dir, qemuFiles.qmp)},server=on,wait=off`);
  if (options.monitor === true) args.push('-qmp', `unix:${join(dir, qemuFiles.monitor)},server=on,wait=off`);
  args.push(...portArguments(options.ports));
  // Last, so that the ports under test have the same numbers as without it.
  const serial = options.machine === 'microvm' ? 'virtio-serial-device' : 'virtio-serial-pci';
  args.push('-device', `${serial},id=harness`);
  args.push('-chardev', `socket,id=shell,path=${join(dir, qemuFiles.shell)},server=on,wait=off`);
  args.push('-device', 'virtserialport,bus=harness.0,nr=1,chardev=shell,name=harness.shell');
  args.push(...options.extraArgs);
  const { program, args: first } = emulator(options.machine, options.accel);
  const command = ['--pdeathsig', keepsGuests ? 'clear' : 'KILL', program, ...first, ...args];
  return spawn('setpriv', command, { stdio: ['ignore', 'ignore', 'pipe'] });
}

/** A microvm has no timer that works reliably in an emulated guest, unless it gets those of a PC. */
const machines: Readonly<Record<QemuMachine, string>> = {
  pc: 'pc',
  microvm: 'microvm,pit=on,pic=on,rtc=on',
  virt: 'virt,gic-version=3',
};

/** The options of the machine except its memory, its ports and what belongs to one guest only. */
function machineArguments({
  machine,
  kernel,
  image,
  accel,
  cpus,
  maxCpus,
  memoryMb,
  appendKernel,
}: QemuOptions): string[] {
  const args = [
    '-nodefaults',
    '-no-user-config',
    '-no-reboot',
    '-display',
    'none',
    '-machine',
    machines[machine],
  ];
  // What costs TCG time and tests nothing: five levels of page tables, and arm64's own hash of pointers.
  const cpu = machine === 'virt' ? 'max,pauth-impdef=on' : 'max,la57=off';
  args.push('-accel', accel, '-cpu', accel === 'kvm' ? 'host' : cpu);
  args.push('-smp', `${cpus},maxcpus=${maxCpus}`, '-m', `${memoryMb}M`);
  args.push('-kernel', kernel.image, '-initrd', image);
  const clock = machine === 'microvm' && accel !== 'kvm' ? [`tsc_early_khz=${hostTscKhz()}`] : [];
  const console = machine === 'virt' ? 'console=ttyAMA0' : 'console=ttyS0';
  args.push('-append', [console, kernelOptions, ...clock, ...appendKernel].join(' '));
  return args;
}

/**
 * Frequency of the host's TSC, which an emulated guest reads as its own. An emulated microvm has no timer precise
 * enough to measure it, and a kernel that does not know it stands still while it boots.
 */
function hostTscKhz(): number {
  const [, mhz] = /^cpu MHz\s*: ([\d.]+)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8')) ?? [];
  if (mhz === undefined) throw new Error("/proc/cpuinfo does not tell the CPU's frequency");
  return Math.round(Number(mhz) * 1000);
}

/**
 * QEMU maps the file, so saving the memory takes no copy, and restoring it reads only the pages that the guest
 * uses.
 */
function memoryArguments({ memoryMb }: QemuOptions, { file, shared, incoming }: GuestMemory): string[] {
  const share = shared ? 'on' : 'off';
  const args = ['-object', `memory-backend-file,id=memory,size=${memoryMb}M,mem-path=${file},share=${share}`];
  args.push('-machine', 'memory-backend=memory');
  if (incoming === true) args.push('-incoming', 'defer');
  return args;
}

/**
 * What a saved state depends on: a machine with the same key can be restored from it, whatever the chardevs of its
 * ports.
 */
export function machineKey(options: QemuOptions): string {
  const ports = options.ports.map((port) => portDevice(port));
  const version = emulatorVersion(options.machine, options.accel);
  return JSON.stringify([version, machineArguments(options), ports, options.extraArgs]);
}
