import type { Transport } from '../port-names.ts';
import type { PlacedPort, SerialDevice } from './placement.ts';

/** A QEMU object, as arguments of `-device`, `-chardev` and `device_add`. */
export type Properties = Readonly<Record<string, string | number>>;

/** QEMU's options for the ports, one word each: `-device`, its value, and so on. */
export function qemuArguments(devices: readonly SerialDevice[], transport: Transport = 'pci'): string[] {
  return devices.flatMap((device) => [
    '-device',
    optionText(serialProperties(device, transport)),
    ...device.ports.flatMap((port) => [
      '-chardev',
      chardevText(port),
      '-device',
      optionText(portProperties(port, `${device.id}.0`)),
    ]),
  ]);
}

/** Properties of a virtio-serial device; only PCI has vectors. */
export function serialProperties({ id, maxPorts, vectors }: SerialDevice, transport: Transport) {
  const properties = { driver: serialDrivers[transport], id, max_ports: maxPorts };
  return transport === 'pci' ? { ...properties, vectors } : properties;
}

const serialDrivers: Readonly<Record<Transport, string>> = {
  pci: 'virtio-serial-pci',
  mmio: 'virtio-serial-device',
  ccw: 'virtio-serial-ccw',
};

export function portProperties({ id, nr, name }: PlacedPort, bus: string) {
  return { driver: 'virtserialport', bus, nr, chardev: id, id, name };
}

function chardevText({ id, chardev, path }: PlacedPort): string {
  const backend = chardev === 'pipe' ? 'pipe' : 'socket';
  const { driver, ...rest } = { driver: backend, id, path };
  const server = chardev === 'socket' ? ',server=on,wait=off' : '';
  return `${optionText({ driver, ...rest })}${server}`;
}

function optionText(properties: Properties & { readonly driver: string }): string {
  const { driver, ...rest } = properties;
  return [driver, ...Object.entries(rest).map(([key, value]) => `${key}=${optionValue(String(value))}`)].join(
    ',',
  );
}

/** A comma ends a value in QEMU options; a doubled comma stands for one. */
function optionValue(value: string): string {
  return value.replaceAll(',', ',,');
}

/**
 * The options, one per line, option and value together.
 * @param toPaste with shell quotes and continuations, for people; otherwise for `$(…)` in a shell
 */
export function qemuText(words: readonly string[], toPaste: boolean): string {
  const lines: string[] = [];
  for (let index = 0; index < words.length; index += 2) {
    const value = words[index + 1] ?? '';
    lines.push(`${words[index]} ${toPaste ? shellWord(value) : value}`);
  }
  return `${lines.join(toPaste ? ' \\\n' : '\n')}\n`;
}

function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
