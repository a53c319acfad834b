import { exitCode, Failure } from '../failure.ts';
import { defaultDir, parseGuestName } from '../host/guest-dir/location.ts';
import { chardevs } from '../host/guest-dir/port-names.ts';
import { setupFormats } from '../host/setup/options.ts';
import { parseChoice, parseCount } from './choice.ts';
import { maxCpus } from './cpu-list.ts';
import { parseDurationMs } from './duration.ts';
import { parsePath, parseUser } from './names.ts';
import type { Setting } from './setting.ts';
import { parseFlag } from './setting.ts';

/** The one list of the options of trace-host's commands; `hostCommands` says which command has which. */
export const hostSettings = {
  guest: {
    long: 'guest',
    placeholder: 'NAME',
    description: 'which guest, when there are several: its directory is DIR/NAME (default: DIR itself)',
    parse: parseGuestName,
  },
  dir: {
    long: 'dir',
    placeholder: 'DIR',
    description: "directory of the ports' host ends",
    defaultText: defaultDir,
    parse: parsePath,
  },
  cpus: {
    long: 'cpus',
    placeholder: 'N',
    description:
      "the guest's CPUs (default: as before, else asked of the guest with --apply, else this host's)",
    parse: parseCpuCount,
  },
  chardev: {
    long: 'chardev',
    placeholder: 'KIND',
    description: `how QEMU holds the ports, ${chardevs.join(' or ')} (default: as before, else pipe)`,
    parse: (text: string, name: string) => parseChoice(text, name, chardevs),
  },
  group: {
    long: 'group',
    placeholder: 'GROUP',
    description: 'group that QEMU runs as, when it is another user, e.g. libvirt-qemu (default: as before)',
    parse: parseUser,
  },
  format: {
    long: 'format',
    placeholder: 'FORMAT',
    description: `what to print, ${setupFormats.join(', ')} (default: qemu; with --apply nothing)`,
    parse: (text: string, name: string) => parseChoice(text, name, setupFormats),
  },
  apply: {
    long: 'apply',
    description: 'attach the ports to a guest that runs: with --qmp or --domain',
    defaultText: 'false',
    parse: parseFlag,
  },
  qmp: {
    long: 'qmp',
    placeholder: 'SOCKET',
    description: "QEMU's QMP socket (QEMU's option: -qmp unix:SOCKET,server=on,wait=off)",
    parse: parsePath,
  },
  domain: {
    long: 'domain',
    placeholder: 'DOMAIN',
    description: 'name of a libvirt domain, as virsh takes it',
    parse: parseDomain,
  },
  remove: {
    long: 'remove',
    description: 'remove what setup made; with --apply, detach the ports first',
    defaultText: 'false',
    parse: parseFlag,
  },
  bare: {
    long: 'bare',
    description:
      'give the order that agents without answers take (the one of the kernel tree), and wait for nothing',
    defaultText: 'false',
    parse: parseFlag,
  },
  timeout: {
    long: 'timeout',
    placeholder: 'MS',
    description: 'how long the guest may be silent; milliseconds, or e.g. 500ms, 10s',
    defaultText: '5s',
    parse: parseTimeoutMs,
  },
  json: {
    long: 'json',
    description: 'print JSON',
    defaultText: 'false',
    parse: parseFlag,
  },
} as const satisfies Record<string, Setting<unknown>>;

export type HostSettingName = keyof typeof hostSettings;

function parseCpuCount(text: string, name: string): number {
  const count = parseCount(text, name, maxCpus);
  if (count > 0) return count;
  throw new Failure(
    exitCode.usage,
    `${name}: a guest has at least one CPU`,
    `give a number from 1 to ${maxCpus}`,
  );
}

function parseTimeoutMs(text: string, name: string): number {
  const timeoutMs = parseDurationMs(text, name);
  if (timeoutMs > 0) return timeoutMs;
  throw new Failure(exitCode.usage, `${name}: no guest answers in no time`, 'give e.g. 5s');
}

/** virsh takes whatever follows for an option when it begins with a dash. */
function parseDomain(text: string, name: string): string {
  if (/^[^-\p{Cc}][^\p{Cc}]{0,254}$/u.test(text)) return text;
  throw new Failure(exitCode.usage, `${name}: not a name that a domain can have`, 'see virsh list --all');
}
