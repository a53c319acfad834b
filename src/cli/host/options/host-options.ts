import { Command, CommanderError } from 'commander';
import { exitCode, Failure } from '../../../base/failure.ts';
import type { GuestLocation } from '../../../host/guest-dir/location.ts';
import type { SetupOptions } from '../../../host/setup/options.ts';
import { type ConvertCommand, readConvert } from './convert-options.ts';
import type { Example } from '../../options/help-text.ts';
import { examplesText } from '../../options/help-text.ts';
import { Given } from './given.ts';
import { type RecordCommand, readRecord } from './record-options.ts';
import { readingCommands, type ReadingCommand } from './reading/commands.ts';
import { type OpenCommand, readOpen, readServe, type ServeCommand } from './serving/serve-options.ts';
import { readTop, type TopCommand } from './top-options.ts';
import { readSetup } from './setup-options.ts';
import { namesOf, type Subcommand } from './subcommand.ts';
import { hostSettings } from './host-settings.ts';
import { traceSettings } from './trace-settings.ts';
import { addSetting, usageFailure } from '../../options/setting.ts';
import { addTraceCmdWords } from './trace-cmd-words.ts';
import { version } from '../../../base/version.ts';

/** Options of an order to a guest. */
export interface OrderOptions {
  readonly location: GuestLocation;
  readonly timeoutMs: number;
  readonly json: boolean;
}

/** The action that a command line requests; `say`: print a text (`--help`, `--version`). */
export type HostCommand =
  | { readonly kind: 'say'; readonly text: string }
  | { readonly kind: 'setup'; readonly options: SetupOptions }
  | { readonly kind: 'start' | 'stop'; readonly options: OrderOptions; readonly bare: boolean }
  | { readonly kind: 'status' | 'ping'; readonly options: OrderOptions }
  | { readonly kind: 'doctor'; readonly options: OrderOptions }
  | { readonly kind: 'record'; readonly options: RecordCommand }
  | { readonly kind: 'top'; readonly options: TopCommand }
  | { readonly kind: 'convert'; readonly options: ConvertCommand }
  | { readonly kind: 'metadata'; readonly options: OrderOptions; readonly out: string }
  | { readonly kind: 'serve'; readonly options: ServeCommand }
  | { readonly kind: 'open'; readonly options: OpenCommand }
  | ReadingCommand;

const orderSettings = ['guest', 'dir', 'timeout', 'json'] as const;

/** All commands of trace-host, in the order of the help. */
const subcommands: Readonly<Record<string, Subcommand<HostCommand>>> = {
  setup: {
    description: "create a guest's ports on this host and print the options for QEMU or libvirt",
    settings: [
      'guest',
      'dir',
      'cpus',
      'chardev',
      'transport',
      'group',
      'format',
      'apply',
      'qmp',
      'domain',
      'remove',
    ],
    examples: [
      ['trace-host setup --cpus 2', 'print QEMU options for a guest with two CPUs'],
      ['qemu-system-x86_64 … $(trace-host setup)', 'use them in a script'],
      ['trace-host setup --transport mmio', 'for a guest without PCI, such as a microvm'],
      ['trace-host setup --guest web --format libvirt', "print XML for a libvirt domain's <devices>"],
      ['trace-host setup --apply --qmp /run/vm.qmp', 'attach the ports to a running QEMU'],
      ['trace-host setup --apply --domain web --group libvirt-qemu', 'attach the ports to a libvirt domain'],
      ['trace-host setup --guest web --remove', 'remove the ports again'],
    ],
    read: (given) => ({ kind: 'setup', options: readSetup(given) }),
  },
  start: {
    description: 'start tracing the events that are enabled in the guest',
    settings: [...orderSettings, 'bare'],
    examples: [['trace-host start --guest web', 'returns once all CPUs are being traced']],
    read: (given) => ({ kind: 'start', options: readOrder(given), bare: given.flag('bare') }),
  },
  stop: {
    description: 'stop tracing, after sending everything that is in the rings',
    settings: [...orderSettings, 'bare'],
    examples: [['trace-host stop --json', 'print the totals of each CPU as JSON']],
    read: (given) => ({ kind: 'stop', options: readOrder(given), bare: given.flag('bare') }),
  },
  record: {
    description: "record a guest's trace into a file for trace-cmd, KernelShark and trace-host",
    settings: [
      ...namesOf(traceSettings),
      'ignoreUnknown',
      'output',
      'maxKb',
      'duration',
      'maxSize',
      'rotate',
      'keepSets',
      'guests',
      'host',
      'guest',
      'dir',
      'timeout',
      'v6',
      'fileVersion',
      'compress',
      'compression',
      'print',
      'quiet',
      'json',
    ],
    traceCmdWords: true,
    operands: '[command...]',
    examples: [
      ['trace-host record -e sched -e irq', 'record until Ctrl-C, into trace.dat'],
      [
        'trace-host record -e sched_switch -f "prev_prio < 100" --duration 10s',
        'record for 10 s, with a filter',
      ],
      [
        'trace-host record -e sched -v -e sched_stat_* -C boot',
        'record sched without some events, with a clock shared with the host',
      ],
      ['trace-host record -p function -l "vfs_*" -b 8192', 'record function calls, with larger rings'],
      [
        'trace-host record -e sched_wakeup -R "stacktrace if prio < 100" -P 1 -c',
        'the same options as trace-cmd',
      ],
      ['trace-host record -e sched --print', 'print the events during the recording'],
      ['trace-host record -A web -A db -e net', 'record two guests, into trace-web.dat and trace-db.dat'],
      [
        'trace-host record -e kvm -e sched -A web -e sched',
        'record this host (kvm, sched) and a guest (sched), into trace.dat and trace-web.dat',
      ],
      ['trace-host record --host -e sched --duration 5s', 'record only this host'],
      [
        'trace-host record -A web -e sched --rotate 100M --keep 10',
        'record until Ctrl-C, and keep the last ten files of 100 MiB, e.g. trace.000042-web.dat',
      ],
      ['trace-host record -e sched --rotate 1h --keep 24', 'keep the last day, in files of an hour'],
      ['trace-host record -e kvm -o ping.dat -- ping -c 3 guest', 'record while a command runs on the host'],
    ],
    read: (given) => ({ kind: 'record', options: readRecord(given) }),
  },
  top: {
    description: 'show what guests and this host do now: CPUs, tasks, stolen time and wakeup latencies',
    settings: [
      ...namesOf(traceSettings),
      'ignoreUnknown',
      'guests',
      'host',
      'dir',
      'timeout',
      'delay',
      'once',
      'json',
    ],
    examples: [
      ['trace-host top -A web', 'a guest and this host, with a new frame each second; q or Ctrl-C to end'],
      ['trace-host top', 'only this host'],
      ['trace-host top -A web --once --json', 'one frame, for scripts'],
      ['trace-host top -A web -e sched -A db', 'two guests without this host, with chosen events'],
    ],
    read: (given) => ({ kind: 'top', options: readTop(given) }),
  },
  convert: {
    description: 'convert an unfinished recording, a framed stream or raw pages to trace.dat',
    settings: ['output', 'metadata', 'clock', 'v6', 'compress', 'json'],
    operands: '<input...>',
    examples: [
      ['trace-host convert trace.dat.recording', 'a recording that was not finished'],
      ['trace-host convert trace.framed -o guest.dat', 'the output of trace-agent -o --framed'],
      ['ssh guest trace-agent -o --framed | trace-host convert - -o guest.dat', 'the same, from stdin'],
      [
        'trace-host convert cpu0.raw cpu1.raw --metadata metadata.tar.gz -o guest.dat',
        'raw pages collected with cat',
      ],
      [
        'trace-host convert cpu0=first.raw --metadata tracefs.tar -o guest.dat',
        'for a file name without the CPU number',
      ],
    ],
    read: (given) => ({ kind: 'convert', options: readConvert(given) }),
  },
  metadata: {
    description: "save a guest's metadata, which trace-host convert --metadata needs for raw pages",
    settings: ['metadataOutput', ...orderSettings],
    examples: [
      ['trace-host metadata -o metadata.tar.gz', 'needed once per boot of the guest'],
      ['trace-host metadata -o metadata.tar.gz --timeout 60s', 'for a slow guest'],
    ],
    read: (given) => ({
      kind: 'metadata',
      options: readOrder(given),
      out: given.read(hostSettings.metadataOutput),
    }),
  },
  ...readingCommands,
  status: {
    description: "show the state of the guest's agent, and of each CPU's worker and ring",
    settings: orderSettings,
    examples: [['watch trace-host status', 'watch a running trace']],
    read: (given) => ({ kind: 'status', options: readOrder(given) }),
  },
  ping: {
    description:
      "check whether the guest's agent answers; show the round-trip time and the clock offsets to this host",
    settings: orderSettings,
    examples: [['trace-host ping --timeout 500ms', 'fail quickly']],
    read: (given) => ({ kind: 'ping', options: readOrder(given) }),
  },
  doctor: {
    description: "check everything between this host and the guest's rings, and report what is wrong",
    settings: orderSettings,
    examples: [
      ['trace-host doctor --guest web', 'one line per link, with a remedy; changes nothing'],
      ['trace-host doctor --json', 'for scripts; exits with 1 if a link is wrong'],
    ],
    read: (given) => ({ kind: 'doctor', options: readOrder(given) }),
  },
  serve: {
    description: 'serve a page and an API of guests and recordings, until a signal',
    settings: ['listen', 'serveSocket', 'data', 'dir', 'tlsCert', 'tlsKey', 'serveLogLevel'],
    examples: [
      ['trace-host serve', 'on http://127.0.0.1:7117, which trace-host open opens'],
      ['trace-host serve --listen 127.0.0.1:8000 --data /srv/traces', 'another port, and another disk'],
      [
        'trace-host serve --listen 192.0.2.7:7117 --tls-cert host.pem --tls-key host.key',
        'for other machines, with TLS',
      ],
    ],
    read: (given) => ({ kind: 'serve', options: readServe(given) }),
  },
  open: {
    description: 'print the address of the page of trace-host serve, and on a desktop open it in the browser',
    settings: ['serveSocket'],
    examples: [
      ['trace-host open', 'the address works once, within a minute'],
      ['trace-host open --socket /run/trace-host/serve.sock', "of the system's daemon"],
    ],
    read: (given) => ({ kind: 'open', options: readOpen(given) }),
  },
};

const summary = 'trace guests from their host over virtio-serial';
const description =
  'Traces guests from their host over virtio-serial only: sets up the ports, sends orders to trace-agent in the guest, ' +
  'records, and prints and analyses what was recorded.';

const exitCodes = `
Exit codes: 0 done, 1 failed, 2 usage error, 3 something needed is missing or the guest does not answer,
4 permission denied, 5 gave up on a CPU or lost data`;

/**
 * Parses trace-host's command line (without node and script). Prints nothing, reads no file. Throws Failure (usage)
 * that names the value and the remedy.
 */
export function parseHostOptions(argv: readonly string[]): HostCommand {
  const names = Object.keys(subcommands).join(', ');
  if (argv.length === 0)
    throw new Failure(exitCode.usage, `no command given; the commands are ${names}`, 'see trace-host --help');
  let said = '';
  let read: HostCommand | undefined;
  const program = hostProgram(
    (text) => {
      said += text;
    },
    (command) => {
      read = command;
    },
  );
  try {
    program.parse(argv, { from: 'user' });
  } catch (cause) {
    if (!(cause instanceof CommanderError)) throw cause;
    if (cause.exitCode === 0) return { kind: 'say', text: said };
    const current = program.commands.find((command) => command.name() === argv[0]);
    throw usageFailure(
      cause,
      current ?? program,
      current === undefined ? 'trace-host' : `trace-host ${current.name()}`,
    );
  }
  if (read === undefined) throw new Error('commander ran no command');
  return read;
}

/** The commander program; `say` receives the text of `--help` and `--version`, `chosen` the parsed command. */
export function hostProgram(say: (text: string) => void, chosen: (command: HostCommand) => void): Command {
  const program = new Command('trace-host')
    .summary(summary)
    .description(description)
    .usage('COMMAND [options]')
    .exitOverride()
    .enablePositionalOptions()
    .configureOutput({ writeOut: say, writeErr: () => {} })
    .helpOption('-h, --help', 'show this help')
    .helpCommand('help [COMMAND]', "show a command's help")
    .version(version, '--version', 'show the version')
    .addHelpText('after', exitCodes);
  for (const [name, subcommand] of Object.entries(subcommands)) {
    const command = program
      .command(name)
      .summary(subcommand.description)
      .description(sentence(subcommand.description))
      .usage(subcommand.usage ?? `[options] ${subcommand.operands ?? ''}`.trimEnd())
      .addHelpText('after', examplesText(subcommand.examples));
    if (subcommand.operands !== undefined) command.arguments(subcommand.operands);
    // options after COMMAND belong to COMMAND
    command.passThroughOptions(subcommand.operands === '[command...]');
    for (const setting of subcommand.settings) addSetting(command, hostSettings[setting]);
    const given = new Given(command, subcommand.settings);
    if (subcommand.traceCmdWords === true) addTraceCmdWords(command, (text) => given.remark(text));
    command.action(() => chosen(subcommand.read(given)));
  }
  return program;
}

/** The examples of one command. */
export function hostExamples(name: string): readonly Example[] {
  return subcommands[name]?.examples ?? [];
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

function readOrder(given: Given): OrderOptions {
  return {
    location: given.location(),
    timeoutMs: given.read(hostSettings.timeout),
    json: given.flag('json'),
  };
}
