import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { exitCode, Failure } from '../../base/failure.ts';
import { printable } from '../../base/quoted.ts';

/** VIRTIO_ID_CONSOLE of linux/virtio_ids.h, as in a modalias. */
const consoleAlias = /^virtio:d00000003v/;
/** The driver that a device needs: its module, and its name on the device's bus. */
interface Driver {
  readonly module: string;
  readonly bus: string;
  readonly name: string;
}
const consoleDriver: Driver = { module: 'virtio_console', bus: 'virtio', name: 'virtio_console' };
const mmioDriver: Driver = { module: 'virtio_mmio', bus: 'platform', name: 'virtio-mmio' };
const pciDriver: Driver = { module: 'virtio_pci', bus: 'pci', name: 'virtio-pci' };
/** PCI ids of a virtio-serial device, transitional and modern (virtio 1.2, 4.1.2 and 5.3). */
const pciVendor = '0x1af4';
const pciDevices = ['0x1003', '0x1043'];
/** The ACPI id of a virtio device over mmio; only its driver knows the type of device. */
const mmioAlias = /^acpi:LNRO0005:/;
const mostNames = 8;

/**
 * The error for a guest without any port if sysfs shows that a driver is missing: the driver of the virtio-serial
 * device, or of the PCI or mmio transport below it.
 * @param sys where sysfs is mounted
 * @returns undefined when there is no device, so the host has to add one
 */
export function missingDriver(sys = '/sys'): Failure | undefined {
  const idle = entries(join(sys, 'bus/virtio/devices')).find(
    (device) => consoleAlias.test(text(join(device, 'modalias'))) && !existsSync(join(device, 'driver')),
  );
  if (idle !== undefined) return noDriver(sys, 'a virtio-serial device', nameOf(idle), consoleDriver);
  const idlePci = entries(join(sys, 'bus/pci/devices')).find(
    (device) =>
      text(join(device, 'vendor')) === pciVendor &&
      pciDevices.includes(text(join(device, 'device'))) &&
      !existsSync(join(device, 'driver')),
  );
  if (idlePci !== undefined) return noDriver(sys, 'a virtio-serial PCI device', nameOf(idlePci), pciDriver);
  // With the driver, any device left unbound is an empty slot.
  if (existsSync(join(sys, 'bus/platform/drivers', mmioDriver.name))) return undefined;
  const idleMmio = entries(join(sys, 'bus/platform/devices')).find((device) =>
    mmioAlias.test(text(join(device, 'modalias'))),
  );
  if (idleMmio !== undefined) return noDriver(sys, 'a virtio device over mmio', nameOf(idleMmio), mmioDriver);
  return undefined;
}

function noDriver(sys: string, what: string, device: string, { module, bus, name }: Driver): Failure {
  const has = `this guest has ${what} (${device})`;
  const dir = `bus/${bus}/drivers/${name}`;
  if (!existsSync(join(sys, dir)))
    return new Failure(exitCode.missing, `${has} but no driver for it`, `load it: modprobe ${module}`);
  return new Failure(
    exitCode.missing,
    `${has}, but the driver ${name} is not bound to it`,
    `bind it: echo ${device} > /sys/${dir}/bind; if that fails, dmesg says why`,
  );
}

/** Names of existing ports for a message about a missing one: quoted, limited in number. */
export function otherPorts(portsDir: string, sys = '/sys'): string | undefined {
  const inSysfs = entries(join(sys, 'class/virtio-ports')).map((port) => text(join(port, 'name')));
  const names = [...new Set([...entries(portsDir).map(nameOf), ...inSysfs])].filter((name) => name !== '');
  if (names.length === 0) return undefined;
  const more = names.length > mostNames ? ` and ${names.length - mostNames} more` : '';
  return printable(names.slice(0, mostNames).join(', ')) + more;
}

function entries(dir: string): string[] {
  try {
    return readdirSync(dir).map((name) => join(dir, name));
  } catch {
    return [];
  }
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function text(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
}
