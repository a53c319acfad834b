import { isObject } from '../../base/json-type.ts';
import type { QmpConnection } from './connection.ts';
import { QmpRefusal } from './connection.ts';

/** A port of a guest. */
export interface QemuPort {
  /** The port's path in QEMU's object tree; a port without an id has one too. */
  readonly path: string;
  /** The port's name in the guest's /dev/virtio-ports; empty for a console. */
  readonly name: string;
  readonly nr: number;
  readonly chardev: string;
  /** Name of the bus that it is on. */
  readonly bus: string;
}

/** A virtio-serial device that ports can be attached to. */
export interface QemuSerial {
  readonly path: string;
  readonly id: string;
  /** Name of its bus. */
  readonly bus: string;
  readonly maxPorts: number;
}

/** The paths in QEMU's object tree below which it keeps the devices with an id, and those without. */
const containers = ['/machine/peripheral', '/machine/peripheral-anon'] as const;

interface Child {
  readonly path: string;
  readonly name: string;
  readonly anonymous: boolean;
}

export async function listPorts(qmp: QmpConnection): Promise<QemuPort[]> {
  const ports: QemuPort[] = [];
  for (const { path } of await children(qmp, /^(virtserialport|virtconsole)$/)) {
    ports.push({
      path,
      name: await text(qmp, path, 'name'),
      nr: Number(await property(qmp, path, 'nr')),
      chardev: await text(qmp, path, 'chardev'),
      bus: await busOf(qmp, path),
    });
  }
  return ports;
}

/** Lists the devices that have an id: the name of a device's bus is derived from it. */
export async function listSerials(qmp: QmpConnection): Promise<QemuSerial[]> {
  const serials: QemuSerial[] = [];
  for (const { path, name, anonymous } of await children(qmp, /^virtio-serial-(pci|device|ccw)/)) {
    if (anonymous) continue;
    serials.push({
      path,
      id: name,
      bus: `${name}.0`,
      maxPorts: Number(await property(qmp, path, 'max_ports')),
    });
  }
  return serials;
}

/** CPUs that the guest has or that can be added. */
export async function countCpus(qmp: QmpConnection): Promise<number> {
  const now = asList(await qmp.execute('query-cpus-fast')).length;
  try {
    const possible = asList(await qmp.execute('query-hotpluggable-cpus'));
    return Math.max(
      now,
      possible.reduce((sum: number, entry) => sum + Number(entry['vcpus-count']), 0),
    );
  } catch (cause) {
    // a machine without CPU hotplug
    if (cause instanceof QmpRefusal) return now;
    throw cause;
  }
}

/** Ids of QEMU's chardevs. */
export async function listChardevs(qmp: QmpConnection): Promise<Set<string>> {
  return new Set(asList(await qmp.execute('query-chardev')).map((entry) => String(entry['label'])));
}

/**
 * Names of empty PCI Express root ports, where a q35 machine accepts new devices. Reads QEMU's object tree, because
 * `query-pci` shows devices behind a bridge only after the guest's firmware has numbered it.
 */
export async function freeRootPorts(qmp: QmpConnection): Promise<string[]> {
  const rootPorts = await children(qmp, /^(pcie-root-port|ioh3420)$/);
  const taken = new Set<string>();
  for (const { path } of await children(qmp, /./)) taken.add(await busOf(qmp, path));
  return rootPorts.filter(({ name, anonymous }) => !anonymous && !taken.has(name)).map(({ name }) => name);
}

/** Name of the bus that a device is on; empty when it is on none. */
async function busOf(qmp: QmpConnection, path: string): Promise<string> {
  const bus = await text(qmp, path, 'parent_bus');
  return bus.slice(bus.lastIndexOf('/') + 1);
}

async function children(qmp: QmpConnection, type: RegExp): Promise<Child[]> {
  const found: Child[] = [];
  for (const container of containers) {
    for (const entry of asList(await qmp.execute('qom-list', { path: container }))) {
      const childType = /^child<(.*)>$/.exec(String(entry['type']))?.[1];
      if (childType === undefined || !type.test(childType)) continue;
      const name = String(entry['name']);
      found.push({ path: `${container}/${name}`, name, anonymous: container !== containers[0] });
    }
  }
  return found;
}

function property(qmp: QmpConnection, path: string, name: string): Promise<unknown> {
  return qmp.execute('qom-get', { path, property: name });
}

async function text(qmp: QmpConnection, path: string, name: string): Promise<string> {
  const value = await property(qmp, path, name);
  return typeof value === 'string' ? value : '';
}

function asList(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}
