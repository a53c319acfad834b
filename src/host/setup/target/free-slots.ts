import type { PlacedPort, SerialDevice } from '../placement.ts';
import { maxPortsPerDevice, serialDevice } from '../placement.ts';

/** A virtio-serial device of a guest. */
export interface SerialBus {
  /** The device's name in the guest's manager (QEMU or libvirt). */
  readonly name: string;
  /** Number of slots, including the reserved one. */
  readonly maxPorts: number;
  /** Port numbers in use. */
  readonly used: ReadonlySet<number>;
}

export interface Placement {
  /** Ports placed on existing devices, by the device's name. */
  readonly onBuses: readonly { readonly bus: string; readonly port: PlacedPort }[];
  /** New devices for the ports that find no free slot; their ids are not in use yet. */
  readonly newDevices: readonly SerialDevice[];
}

/**
 * Places ports in free slots of existing devices, then on new devices.
 * @param firstNew number in the id of the first new device
 */
export function findRoom(
  ports: readonly PlacedPort[],
  buses: readonly SerialBus[],
  firstNew: number,
): Placement {
  const free = buses.flatMap(freeNumbers);
  const onBuses = ports.slice(0, free.length).map((port, index) => {
    const { bus = '', nr = 0 } = free[index] ?? {};
    return { bus, port: { ...port, nr } };
  });
  const newDevices: SerialDevice[] = [];
  for (let from = free.length; from < ports.length; from += maxPortsPerDevice) {
    const some = ports
      .slice(from, from + maxPortsPerDevice)
      .map((port, index) => ({ ...port, nr: index + 1 }));
    newDevices.push(serialDevice(firstNew + newDevices.length, some));
  }
  return { onBuses, newDevices };
}

function freeNumbers({ name, maxPorts, used }: SerialBus): { bus: string; nr: number }[] {
  const all = Array.from({ length: Math.max(0, maxPorts - 1) }, (_, index) => index + 1);
  return all
    .filter((nr) => !used.has(nr))
    .slice(0, Math.max(0, maxPortsPerDevice - used.size))
    .map((nr) => ({ bus: name, nr }));
}
