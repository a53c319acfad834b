import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Failure, exitCode } from '../../../src/base/failure.ts';
import { accelerator } from './accel.ts';
import { Guest, type SavedState } from './guest.ts';
import { guestImage } from './image.ts';
import { guestKernel } from './kernel.ts';
import type { GuestKernel } from './kernel.ts';
import { makeFifos, placePorts, tracePorts } from './ports.ts';
import type { PlacedPort, PortSpec } from './ports.ts';
import { machineKey, startQemu } from './qemu.ts';
import type { QemuMachine } from './emulator.ts';
import type { GuestMemory } from './qemu.ts';

export interface BootOptions {
  readonly cpus: number;
  /** Default: `guestKernel`. */
  readonly kernel?: GuestKernel;
  /** CPUs that can be plugged in later; default `cpus`. */
  readonly maxCpus?: number;
  /** Default: enough for Node and a worker for each CPU. */
  readonly memoryMb?: number;
  /** Added to the kernel's command line. */
  readonly appendKernel?: string;
  /** Default: the control port and one trace port for each CPU, all with FIFOs. */
  readonly ports?: readonly PortSpec[];
  /** Ports on one virtio-serial device; default 15, the maximum that works. */
  readonly portsPerDevice?: number;
  /** Directory of the FIFOs and sockets, which is kept at the end; default: a directory of the guest's own. */
  readonly portsDir?: string;
  /** False: no names in /dev/virtio-ports, as in a guest without udev. */
  readonly udev?: boolean;
  /** True: QEMU has a second QMP socket, `monitor` in the guest's directory, for the programs under test. */
  readonly monitor?: boolean;
  readonly qemuArgs?: readonly string[];
  /** Default: pc, and virt for arm64. A microvm has no PCI, so it has none of the harness's `ports`. */
  readonly machine?: QemuMachine;
  readonly bootTimeoutMs?: number;
}

/** What QEMU boots, independent of the guest's shape. */
export interface Machine {
  readonly kernel: GuestKernel;
  /** The initramfs. */
  readonly image: string;
  readonly appendKernel: readonly string[];
  readonly qemuArgs: readonly string[];
  readonly memoryMb: number;
}

/** Boots a guest and returns when it accepts commands. The caller is its only owner and closes it. */
export function bootGuest(options: BootOptions): Promise<Guest> {
  return bootMachine(agentMachine(options), options);
}

/** The harness's own machine: Node and the agent in an initramfs. */
export function agentMachine({ cpus, maxCpus = cpus, udev, kernel = guestKernel() }: BootOptions): Machine {
  return {
    kernel,
    image: guestImage(kernel),
    appendKernel: udev === false ? ['harness.noudev'] : [],
    qemuArgs: [],
    memoryMb: 512 + 48 * maxCpus,
  };
}

/** Like `bootGuest`, with another machine than the harness's own. */
export async function bootMachine(
  machine: Machine,
  options: BootOptions,
  memory?: GuestMemory,
): Promise<Guest> {
  const timeoutMs = options.bootTimeoutMs ?? 180_000 + 20_000 * options.cpus;
  return upOrClosed(launch(machine, options, memory), 'boot', async (guest) => {
    await guest.connect(timeoutMs);
    await guest.waitPorts(
      guest.ports.map(({ name }) => name),
      { links: options.udev !== false },
    );
  });
}

/**
 * Starts a machine from a saved state. With `shared` it writes to the state's own file, which then is no longer a
 * saved state.
 */
export async function resumeMachine(
  machine: Machine,
  options: BootOptions,
  state: SavedState,
  { shared = false } = {},
): Promise<Guest> {
  const guest = launch(machine, options, { file: state.memory, shared, incoming: true });
  return upOrClosed(guest, 'resume', () => guest.resume(state));
}

/** A key that is equal for machines that can be started from each other's saved state. */
export function keyOf(machine: Machine, options: BootOptions): string {
  return machineKey({ ...qemuOptions(machine, options, ''), ports: portsOf(options, '') });
}

function portsOf({ cpus, ports = tracePorts(cpus), portsPerDevice }: BootOptions, dir: string): PlacedPort[] {
  return placePorts(ports, dir, portsPerDevice);
}

function qemuOptions(machine: Machine, options: BootOptions, dir: string) {
  const { kernel, image, qemuArgs } = machine;
  const { cpus, maxCpus = cpus, memoryMb = machine.memoryMb } = options;
  const { machine: qemuMachine = kernel.architecture === 'arm64' ? 'virt' : 'pc' } = options;
  const appendKernel = [...machine.appendKernel];
  if (options.appendKernel !== undefined) appendKernel.push(options.appendKernel);
  const extraArgs = [...qemuArgs, ...(options.qemuArgs ?? [])];
  return {
    kernel,
    image,
    machine: qemuMachine,
    accel: accelerator(kernel),
    cpus,
    maxCpus,
    memoryMb,
    appendKernel,
    dir,
    extraArgs,
  };
}

function launch(machine: Machine, options: BootOptions, memory: GuestMemory | undefined): Guest {
  const dir = mkdtempSync(join(tmpdir(), 'virtio-trace-guest-'));
  const portsDir = options.portsDir ?? join(dir, 'ports');
  mkdirSync(portsDir, { recursive: true });
  const ports = portsOf(options, portsDir);
  makeFifos(ports);
  const qemu = startQemu({
    ...qemuOptions(machine, options, dir),
    ports,
    monitor: options.monitor === true,
    ...(memory === undefined ? {} : { memory }),
  });
  return new Guest(dir, qemu, ports);
}

async function upOrClosed(
  guest: Guest,
  what: string,
  comeUp: (guest: Guest) => Promise<void>,
): Promise<Guest> {
  try {
    await comeUp(guest);
    return guest;
  } catch (error) {
    const tail = guest.consoleText().slice(-2000);
    await guest.close();
    throw new Failure(
      exitCode.failed,
      `the guest did not ${what}: ${String(error)}\n${guest.qemuText()}${tail}`,
    );
  }
}
