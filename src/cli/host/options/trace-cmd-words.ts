import { type Command, Option } from 'commander';
import { exitCode, Failure } from '../../../base/failure.ts';

/** An option of trace-cmd record, as commander has it, and what becomes of it here. */
interface Word {
  readonly flags: string;
  /** Why it does nothing here, or cannot. */
  readonly why: string;
  /** What to do instead; undefined: the option is taken, and nothing is to be done. */
  readonly instead?: string;
}

const network = {
  why: "pages come over the guest's virtio ports, and no network is in the way",
  instead: 'leave it out',
} as const;
const profile = {
  why: 'trace-host has no profile',
  instead: 'record the events, and use trace-cmd report --profile on the file',
} as const;
const clocks = {
  why: 'trace-host does not compare clocks while it records',
  instead: 'record with -C boot or another clock that both machines have',
} as const;

/** Those of trace-cmd 3.1.6 that have no option of ours; docs/trace-cmd.md has all. */
export const traceCmdWords: readonly Word[] = [
  { flags: '-a', why: 'the formats of all events are always in the file' },
  { flags: '-s <USECS>', why: 'a worker sleeps until the kernel has pages for it, not for a time' },
  { flags: '--poll', why: 'workers never block in a read' },
  { flags: '--nofifos', why: 'no FIFO is in the way of a report that follows' },
  { flags: '--notimeout', why: 'a recording ends when its guest has said that it stopped' },
  { flags: '--no-filter', why: "the agent's own tasks are always in the trace" },
  { flags: '--cmdlines-size <SIZE>', why: 'the agent has the kernel save a name for every task' },
  {
    flags: '-F',
    why: 'the command runs on this host, and the trace is of the guest',
    instead: 'name a task of the guest with -P, and -c for its children',
  },
  {
    flags: '-D',
    why: 'it would switch function tracing off for everybody in the guest',
    instead: 'use -d, which does it for this trace',
  },
  {
    flags: '-r <PRIO>',
    why: 'the priority of its workers is for the guest to say',
    instead: 'set it there: chrt, or CPUSchedulingPolicy= of its service',
  },
  { flags: '-N <HOST>', ...network },
  { flags: '-V <CID>', ...network },
  { flags: '-t', ...network },
  { flags: '--proxy <CID>', ...network },
  { flags: '--name <NAME>', why: 'a guest has the name of its directory', instead: 'give -A NAME' },
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
    why: 'the command runs as who runs trace-host',
    instead: 'record -- runuser -u USER -- COMMAND',
  },
  {
    flags: '--temp <DIR>',
    why: 'raw pages lie beside the file that is made of them, where they are found after a crash',
    instead: 'give -o a path on a disk that has room',
  },
  { flags: '--date', why: 'the file does not tell the time of day', instead: 'record with -C tai' },
  { flags: '--ts-offset <OFFSET>', ...clocks },
  { flags: '--tsync-interval <MS>', ...clocks },
  { flags: '--tsc2nsec', ...clocks },
  {
    flags: '--stderr',
    why: 'progress goes to stderr already, and only the summary to stdout',
    instead: 'use >&2, or -q',
  },
  { flags: '--nosplice', why: 'pages come by splice alone', instead: 'leave it out' },
  { flags: '--debug', why: 'there is no more to be said', instead: 'see the log of trace-agent' },
  { flags: '--verbose [LEVEL]', why: 'there is no more to be said', instead: 'see the log of trace-agent' },
];

/**
 * Adds them to a command, not shown in its help. One that cannot be had throws Failure (usage) when it is given.
 * @param say gets a line about one that is taken
 */
export function addTraceCmdWords(command: Command, say: (text: string) => void): void {
  for (const { flags, why, instead } of traceCmdWords) {
    const option = new Option(flags).hideHelp();
    command.addOption(option);
    const name = option.long ?? option.short ?? flags;
    command.on(`option:${option.name()}`, () => {
      if (instead !== undefined) throw new Failure(exitCode.usage, `${name} of trace-cmd: ${why}`, instead);
      say(`${name} changes nothing: ${why}`);
    });
  }
}
