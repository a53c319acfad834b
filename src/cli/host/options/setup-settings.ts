import { maxCpus } from '../../../base/cpu-list.ts';
import { exitCode, Failure } from '../../../base/failure.ts';
import { chardevs, transports } from '../../../host/port-names.ts';
import { setupFormats } from '../../../host/setup/options.ts';
import { parseChoice, parseCount } from '../../options/choice.ts';
import { parsePath, parseUser } from '../../options/names.ts';
import { parseFlag, type Setting } from '../../options/setting.ts';

/** Options that only `setup` has. */
export const setupSettings = {
  cpus: {
    long: 'cpus',
    placeholder: 'N',
    description:
      'number of CPUs of the guest (default: the previous number, else from the guest with --apply, else that of this host)',
    parse: (text: string, name: string) => parseCount(text, name, maxCpus, 1),
  },
  chardev: {
    long: 'chardev',
    placeholder: 'KIND',
    description: `chardev backend of the ports in QEMU, ${chardevs.join(' or ')} (default: the previous one, else pipe)`,
    values: { words: chardevs },
    parse: (text: string, name: string) => parseChoice(text, name, chardevs),
  },
  transport: {
    long: 'transport',
    placeholder: 'HOW',
    description:
      'transport of the virtio-serial devices: pci; mmio for guests without PCI, such as a microvm; ccw on s390x ' +
      '(default: the previous one, else pci)',
    values: { words: transports },
    parse: (text: string, name: string) => parseChoice(text, name, transports),
  },
  group: {
    long: 'group',
    placeholder: 'GROUP',
    description:
      'group of the QEMU process, if it runs as another user, e.g. libvirt-qemu (default: the previous one)',
    values: 'group',
    parse: parseUser,
  },
  format: {
    long: 'format',
    placeholder: 'FORMAT',
    description: `output format: ${setupFormats.join(', ')} (default: qemu; no output with --apply)`,
    values: { words: setupFormats },
    parse: (text: string, name: string) => parseChoice(text, name, setupFormats),
  },
  apply: {
    long: 'apply',
    description: 'attach the ports to a running guest, given by --qmp or --domain',
    defaultText: 'false',
    parse: parseFlag,
  },
  qmp: {
    long: 'qmp',
    placeholder: 'SOCKET',
    description: 'QMP socket of QEMU (QEMU option: -qmp unix:SOCKET,server=on,wait=off)',
    values: 'file',
    parse: parsePath,
  },
  domain: {
    long: 'domain',
    placeholder: 'DOMAIN',
    description: 'libvirt domain, as for virsh',
    parse: parseDomain,
  },
  remove: {
    long: 'remove',
    description: 'remove what setup created; with --apply, detach the ports first',
    defaultText: 'false',
    parse: parseFlag,
  },
} as const satisfies Record<string, Setting<unknown>>;

/** Rejects a leading dash, because virsh would parse the name as an option. */
function parseDomain(text: string, name: string): string {
  if (/^[^-\p{Cc}][^\p{Cc}]{0,254}$/u.test(text)) return text;
  throw new Failure(exitCode.usage, `${name}: not a valid domain name`, 'see virsh list --all');
}
