import { exitCode, Failure } from '../../../base/failure.ts';
import { defaultDir, parseGuestName } from '../../../host/guest-dir/location.ts';
import { chardevs, transports } from '../../../host/port-names.ts';
import type { Compression } from '../../../trace/dat/write/write-v7.ts';
import { setupFormats } from '../../../host/setup/options.ts';
import { parseChoice, parseCount } from '../../options/choice.ts';
import { maxCpus } from '../../../base/cpu-list.ts';
import { parseDurationMs, parseTimeMs } from '../../options/duration.ts';
import { quoted } from '../../../base/quoted.ts';
import { parsePath, parseUser } from '../../options/names.ts';
import { lines, traceSettings } from './trace-settings.ts';
import type { Setting } from '../../options/setting.ts';
import { parseFlag } from '../../options/setting.ts';
import { parseBytes } from '../../options/size.ts';

const fileVersions = ['6', '7'] as const;
const compressions = ['none', 'zstd'] as const satisfies readonly Compression[];
/** A month; timers of Node do not reach beyond. */
const longestMs = 24 * 24 * 3600 * 1000;

/** The one list of the options of trace-host's commands; `subcommands` in host-options.ts says which has which. */
export const hostSettings = {
  guest: {
    long: 'guest',
    placeholder: 'NAME',
    description: 'which guest, when there are several: its directory is DIR/NAME (default: DIR itself)',
    values: 'guest',
    parse: parseGuestName,
  },
  dir: {
    long: 'dir',
    placeholder: 'DIR',
    description: "directory of the ports' host ends",
    values: 'directory',
    defaultText: defaultDir,
    parse: parsePath,
  },
  cpus: {
    long: 'cpus',
    placeholder: 'N',
    description:
      "the guest's CPUs (default: as before, else asked of the guest with --apply, else this host's)",
    parse: (text: string, name: string) => parseCount(text, name, maxCpus, 1),
  },
  chardev: {
    long: 'chardev',
    placeholder: 'KIND',
    description: `how QEMU holds the ports, ${chardevs.join(' or ')} (default: as before, else pipe)`,
    values: { words: chardevs },
    parse: (text: string, name: string) => parseChoice(text, name, chardevs),
  },
  transport: {
    long: 'transport',
    placeholder: 'HOW',
    description:
      'how the guest reaches its virtio-serial devices: pci; mmio where there is no PCI, as on a microvm; ccw on s390x ' +
      '(default: as before, else pci)',
    values: { words: transports },
    parse: (text: string, name: string) => parseChoice(text, name, transports),
  },
  group: {
    long: 'group',
    placeholder: 'GROUP',
    description: 'group that QEMU runs as, when it is another user, e.g. libvirt-qemu (default: as before)',
    values: 'group',
    parse: parseUser,
  },
  format: {
    long: 'format',
    placeholder: 'FORMAT',
    description: `what to print, ${setupFormats.join(', ')} (default: qemu; with --apply nothing)`,
    values: { words: setupFormats },
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
    values: 'file',
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
  ...traceSettings,
  output: {
    short: 'o',
    long: 'output',
    placeholder: 'FILE',
    description: 'file to write; with --agent NAME goes into its name',
    values: 'file',
    defaultText: 'trace.dat',
    parse: parsePath,
  },
  metadataOutput: {
    short: 'o',
    long: 'output',
    placeholder: 'FILE',
    description: 'file to write',
    values: 'file',
    defaultText: 'metadata.tar.gz',
    parse: parsePath,
  },
  maxKb: {
    short: 'm',
    long: 'max-kb',
    placeholder: 'KB',
    description: 'keep only the newest KB of each CPU',
    parse: (text: string, name: string) => parseCount(text, name, 2 ** 40, 1),
  },
  duration: {
    long: 'duration',
    placeholder: 'TIME',
    description: 'stop after this time; seconds, or e.g. 1.5, 500ms, 10s, 5m',
    parse: parseSeconds,
  },
  maxSize: {
    long: 'max-size',
    placeholder: 'SIZE',
    description: 'stop when this much is recorded, e.g. 500M, 10G',
    parse: parseBytes,
  },
  guests: {
    short: 'A',
    long: 'agent',
    placeholder: 'NAME',
    description: 'record this guest; repeatable: several at once, a file each',
    values: 'guest',
    repeatable: true,
    parse: (text: string, name: string) => lines(text).map((guest) => parseGuestName(guest, name)),
  },
  ignoreUnknown: {
    short: 'i',
    long: 'ignore-unknown',
    description: 'leave out events that the guest does not have, instead of failing',
    defaultText: 'false',
    parse: parseFlag,
  },
  quiet: {
    short: 'q',
    long: 'quiet',
    description: 'say nothing but what is wrong',
    defaultText: 'false',
    parse: parseFlag,
  },
  fileVersion: {
    long: 'file-version',
    placeholder: 'VERSION',
    description: 'version of trace.dat, 6 or 7; 6 is what --v6 asks for',
    values: { words: fileVersions },
    parse: (text: string, name: string) => parseChoice(text, name, fileVersions),
  },
  compression: {
    long: 'compression',
    placeholder: 'HOW',
    description: "trace-cmd's word for --compress: none, zstd or any",
    values: { words: [...compressions, 'any'] },
    parse: (text: string, name: string): Compression => {
      const word = parseChoice(text, name, [...compressions, 'any'] as const);
      return word === 'any' ? 'zstd' : word;
    },
  },
  v6: {
    long: 'v6',
    description: 'write version 6 of trace.dat, for trace-cmd before 3.0',
    defaultText: 'false',
    parse: parseFlag,
  },
  compress: {
    long: 'compress',
    placeholder: 'HOW',
    description: 'compress the file: none or zstd',
    values: { words: compressions },
    defaultText: 'none',
    parse: (text: string, name: string) => parseChoice(text, name, compressions),
  },
  metadata: {
    long: 'metadata',
    placeholder: 'FILE',
    description: "the guest's metadata archive, with raw files",
    values: 'file',
    parse: parsePath,
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
    description: 'how long the guest may be silent; milliseconds, or e.g. 500ms, 10s, 1m',
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

/** trace-cmd's users give seconds. */
function parseSeconds(text: string, name: string): number {
  const durationMs = parseTimeMs(text, name, 's');
  if (durationMs > 0 && durationMs <= longestMs) return durationMs;
  throw new Failure(exitCode.usage, `${name}: ${quoted(text)} is no time to record`, 'give e.g. 10s');
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
