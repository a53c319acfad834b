import type { SerialBus } from './free-slots.ts';

/** The virtio-serial devices of a domain. */
export interface DomainSerial {
  /** The domain's controllers; their names are their indices. */
  readonly controllers: readonly SerialBus[];
  /** The domain's virtio channels: the XML element of each, by port name. */
  readonly channels: ReadonlyMap<string, string>;
}

/** QEMU's default number of slots of a virtio-serial controller. */
const defaultPorts = 31;

/**
 * Parses a domain's virtio-serial controllers and channels from the output of `virsh dumpxml`. libvirt always writes
 * it in this form, so no XML parser is needed. Pure.
 */
export function readDomainXml(xml: string): DomainSerial {
  const channels = new Map<string, string>();
  const used = new Map<number, Set<number>>();
  for (const [element = ''] of xml.matchAll(/<(channel|console)\b[^]*?<\/\1>/g)) {
    const address = /<address type='virtio-serial' controller='(\d+)' bus='\d+' port='(\d+)'\/>/.exec(
      element,
    );
    if (address !== null) {
      const controller = Number(address[1]);
      used.set(controller, (used.get(controller) ?? new Set()).add(Number(address[2])));
    }
    const name = /<target type='virtio' name='([^']*)'/.exec(element)?.[1];
    if (name !== undefined) channels.set(name, element);
  }
  const controllers = [...xml.matchAll(/<controller type='virtio-serial'([^>]*)>/g)].map(
    ([, attributes = '']) => {
      const index = Number(/ index='(\d+)'/.exec(attributes)?.[1] ?? 0);
      const maxPorts = Number(/ ports='(\d+)'/.exec(attributes)?.[1] ?? defaultPorts);
      return { name: String(index), maxPorts, used: used.get(index) ?? new Set<number>() };
    },
  );
  return { controllers, channels };
}
