import { type Command, Option } from 'commander';
import { exitCode, Failure } from '../../../base/failure.ts';

/** An option of trace-cmd record in commander's syntax, and how trace-host handles it. */
interface Word {
  readonly flags: string;
  /** The reason why the option has no effect here, or is refused. */
  readonly why: string;
  /** The remedy for a refused option; undefined if the option is accepted but has no effect. */
  readonly instead?: string;
}

const network = {
  why: "pages come over the guest's virtio ports, no network is involved",
  instead: 'omit it',
} as const;
const profile = {
  why: 'trace-host has no profiling',
  instead: 'record the events, and use trace-cmd report --profile on the file',
} as const;
const clocks = {
  why: 'trace-host does not synchronise clocks while recording',
  instead: 'record with -C boot or another clock that both machines have',
} as const;

/** The options of trace-cmd 3.1.6 that trace-host does not have; docs/trace-cmd.md lists all. */
export const traceCmdWords: readonly Word[] = [
  { flags: '-a', why: 'the formats of all events are always in the file' },
  { flags: '-s <USECS>', why: 'a worker sleeps until the kernel has pages for it, not for a fixed time' },
  { flags: '--poll', why: 'workers never block in a read' },
  { flags: '--nofifos', why: 'trace-host uses no FIFOs' },
  { flags: '--notimeout', why: 'a recording ends when its guest confirms the stop' },
  { flags: '--no-filter', why: "the agent's own tasks are always in the trace" },
  { flags: '--cmdlines-size <SIZE>', why: 'the agent makes the kernel save the names of all tasks' },
  {
    flags: '-F',
    why: 'the command runs on this host, but the trace is of the guest',
    instead: 'use -P for a task of the guest, and -c for its children',
  },
  {
    flags: '-D',
    why: 'it would disable function tracing for everyone in the guest',
    instead: 'use -d, which only affects this trace',
  },
  {
    flags: '-r <PRIO>',
    why: 'the guest decides the priority of its workers',
    instead: 'set it there: chrt, or CPUSchedulingPolicy= of its service',
  },
  { flags: '-N <HOST>', ...network },
  { flags: '-V <CID>', ...network },
  { flags: '-t', ...network },
  { flags: '--proxy <CID>', ...network },
  { flags: '--name <NAME>', why: "a guest's name is that of its directory", instead: 'use -A NAME' },
  { flags: '-S', ...profile },
  { flags: '-G', ...profile },
  { flags: '-H <HOOKS>', ...profile },
  { flags: '--profile', ...profile },
  { flags: '--by-comm', ...profile },
  {
    flags: '--proc-map',
    why: "address maps of the guest's tasks are not recorded",
    instead: 'copy /proc/PID/maps of the guest',
  },
  {
    flags: '--user <USER>',
    why: 'the command runs as the same user as trace-host',
    instead: 'record -- runuser -u USER -- COMMAND',
  },
  {
    flags: '--temp <DIR>',
    why: 'raw pages are kept next to the output file, where they can be found after a crash',
    instead: 'use -o with a path on a disk with enough space',
  },
  { flags: '--date', why: 'the file does not contain the time of day', instead: 'record with -C tai' },
  { flags: '--ts-offset <OFFSET>', ...clocks },
  { flags: '--tsync-interval <MS>', ...clocks },
  { flags: '--tsc2nsec', ...clocks },
  {
    flags: '--stderr',
    why: 'progress goes to stderr already, and only the summary to stdout',
    instead: 'use >&2, or -q',
  },
  { flags: '--nosplice', why: 'pages are always moved by splice', instead: 'omit it' },
  { flags: '--debug', why: 'trace-host has no further output', instead: 'see the log of trace-agent' },
  {
    flags: '--verbose [LEVEL]',
    why: 'trace-host has no further output',
    instead: 'see the log of trace-agent',
  },
];

/**
 * Adds these options to a command, hidden from its help. A refused option throws Failure (usage) when it is given.
 * @param say called with a remark for each option that is accepted but has no effect
 */
export function addTraceCmdWords(command: Command, say: (text: string) => void): void {
  for (const { flags, why, instead } of traceCmdWords) {
    const option = new Option(flags).hideHelp();
    command.addOption(option);
    const name = option.long ?? option.short ?? flags;
    command.on(`option:${option.name()}`, () => {
      if (instead !== undefined) throw new Failure(exitCode.usage, `${name} of trace-cmd: ${why}`, instead);
      say(`${name} has no effect: ${why}`);
    });
  }
}
