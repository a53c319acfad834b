import { join } from 'node:path';
import type { Chardev } from '../port-names.ts';
import { portNames } from '../port-names.ts';

/**
 * Maximum number of ports on a device: with 16 pipe-backed ports on one virtio-serial device, one of them is never
 * connected to the host.
 */
export const maxPortsPerDevice = 15;

/** A port, and its place in the guest. */
export interface PlacedPort {
  /** The port's name in the guest's /dev/virtio-ports. */
  readonly name: string;
  /** QEMU's id of both the chardev and the port; libvirt chooses its own. */
  readonly id: string;
  /** Number on its device, from 1: slot 0 is reserved for a console. */
  readonly nr: number;
  readonly chardev: Chardev;
  /** Path of the socket, or of the FIFO pair without `.in` and `.out`. */
  readonly path: string;
}

export interface SerialDevice {
  readonly id: string;
  /** Number of slots, including the reserved one. */
  readonly maxPorts: number;
  readonly vectors: number;
  readonly ports: readonly PlacedPort[];
}

/** QEMU's id of a port and of its chardev: `virtio-trace-ctl` for the control port, `virtio-trace-cpu0` for CPU 0. */
export function portId(name: string): string {
  const cpu = /cpu\d+$/.exec(name)?.[0];
  return `virtio-trace-${cpu ?? 'ctl'}`;
}

/** Whether a QEMU id comes from `portId`. */
export function isPortId(id: string): boolean {
  return /^virtio-trace-(?:ctl|cpu\d+)$/.test(id);
}

export function portPath(dir: string, name: string, chardev: Chardev): string {
  return join(dir, chardev === 'pipe' ? name : `${name}.socket`);
}

/** A guest's ports on as many virtio-serial devices as they need, the control port first. */
export function placePorts(dir: string, cpus: number, chardev: Chardev): SerialDevice[] {
  const names = portNames(cpus);
  const devices: SerialDevice[] = [];
  for (let from = 0; from < names.length; from += maxPortsPerDevice) {
    const ports = names.slice(from, from + maxPortsPerDevice).map((name, index) => ({
      name,
      id: portId(name),
      nr: index + 1,
      chardev,
      path: portPath(dir, name, chardev),
    }));
    devices.push(serialDevice(devices.length, ports));
  }
  return devices;
}

export function serialDevice(index: number, ports: readonly PlacedPort[]): SerialDevice {
  const maxPorts = ports.length + 1;
  return { id: `virtio-trace${index}`, maxPorts, vectors: vectorsFor(maxPorts), ports };
}

/**
 * Interrupt vectors: one for each queue that needs one (two per slot, and one of the two queues for control
 * messages), and one for the device itself. With fewer, the guest lets all queues share one vector.
 */
function vectorsFor(maxPorts: number): number {
  return 2 * maxPorts + 2;
}
