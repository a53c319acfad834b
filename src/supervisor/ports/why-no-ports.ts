import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { exitCode, Failure } from '../../base/failure.ts';
import { printable } from '../../base/quoted.ts';

/** VIRTIO_ID_CONSOLE of linux/virtio_ids.h, as a modalias has it. */
const consoleAlias = /^virtio:d00000003v/;
/** What a device needs: the module that has its driver, and the driver's name on its bus. */
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
/** What ACPI calls a virtio device over mmio; which one it is tells only its driver. */
const mmioAlias = /^acpi:LNRO0005:/;
const mostNames = 8;

/**
 * Why a guest has no port at all, as far as its sysfs tells: the device is there and its driver, or that of the PCI
 * device or the mmio under it, is not.
 * @param sys where sysfs is mounted
 * @returns undefined when there is no device either, so that the ports are the host's to give
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
  // a place for a device in which there is none has no driver either
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
    return new Failure(exitCode.missing, `${has} and no driver for it`, `load it: modprobe ${module}`);
  return new Failure(
    exitCode.missing,
    `${has}, and the driver ${name} is there and does not have it`,
    `give it: echo ${device} > /sys/${dir}/bind; dmesg says why when that fails`,
  );
}

/** Names of the ports that are there, for one who looks for others; quoted for a message, not too many. */
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
