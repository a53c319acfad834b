import type { Transport } from '../port-names.ts';
import type { PlacedPort, SerialDevice } from './placement.ts';

/** Index of the first printed controller: libvirt uses 0 for a domain's own channels. */
const firstControllerIndex = 1;

/** Elements for a domain's `<devices>`, controllers before their channels. */
export function libvirtElements(devices: readonly SerialDevice[], transport: Transport = 'pci'): string[] {
  return [
    ...devices.map((device, index) => controllerXml(device, firstControllerIndex + index, transport)),
    ...devices.flatMap((device, index) =>
      device.ports.map((port) => channelXml(port, firstControllerIndex + index)),
    ),
  ];
}

/** libvirt assigns PCI and ccw addresses itself; only PCI has vectors. */
export function controllerXml(
  { maxPorts, vectors }: SerialDevice,
  index: number,
  transport: Transport,
): string {
  const start = `<controller type='virtio-serial' index='${index}' ports='${maxPorts}'`;
  switch (transport) {
    case 'pci':
      return `${start} vectors='${vectors}'/>\n`;
    case 'mmio':
      return `${start}>\n  <address type='virtio-mmio'/>\n</controller>\n`;
    case 'ccw':
      return `${start}/>\n`;
    default:
      return transport satisfies never;
  }
}

export function channelXml({ name, nr, chardev, path }: PlacedPort, controller: number): string {
  const [type, mode] = chardev === 'pipe' ? ['pipe', ''] : ['unix', " mode='bind'"];
  return [
    `<channel type='${type}'>`,
    `  <source${mode} path='${escaped(path)}'/>`,
    `  <target type='virtio' name='${escaped(name)}'/>`,
    `  <address type='virtio-serial' controller='${controller}' bus='0' port='${nr}'/>`,
    '</channel>\n',
  ].join('\n');
}

function escaped(text: string): string {
  const entities: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    "'": '&apos;',
    '"': '&quot;',
  };
  return text.replaceAll(/[&<>'"]/g, (character) => entities[character] ?? '');
}
