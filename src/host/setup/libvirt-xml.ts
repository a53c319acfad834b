import type { PlacedPort, SerialDevice } from './placement.ts';

/** Index of the first controller that is printed: 0 is what libvirt gives a domain for its own channels. */
const firstControllerIndex = 1;

/** Elements for a domain's `<devices>`, the controllers before what is on them. */
export function libvirtElements(devices: readonly SerialDevice[]): string[] {
  return [
    ...devices.map((device, index) => controllerXml(device, firstControllerIndex + index)),
    ...devices.flatMap((device, index) =>
      device.ports.map((port) => channelXml(port, firstControllerIndex + index)),
    ),
  ];
}

export function controllerXml({ maxPorts, vectors }: SerialDevice, index: number): string {
  return `<controller type='virtio-serial' index='${index}' ports='${maxPorts}' vectors='${vectors}'/>\n`;
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
