import { exitCode, Failure } from '../../base/failure.ts';
import { printable } from '../../base/quoted.ts';
import { hostOpens } from '../port-names.ts';
import type { Holder } from './holders.ts';
import { holdersBelow, isQemu } from './holders.ts';
import type { RunState } from './run-state.ts';
import { qmpSockets, runStateOf } from './run-state.ts';

/** The words that messages use for a guest. */
export interface GuestWords {
  /** Absolute path of the guest's directory, without symbolic links. */
  readonly path: string;
  readonly label: string;
  /** The options that select the guest in another command, with a leading blank. */
  readonly options: string;
}

/** States of QEMU's RunState (qapi/run-state.json) in which a guest's CPUs do not run: description and remedy. */
const standing: Readonly<Record<string, readonly [what: string, remedy: string]>> = {
  paused: ['is paused', 'resume it: cont in its QMP or monitor, or virsh resume'],
  prelaunch: ['has not started running (QEMU was started with -S)', 'start it: cont in its QMP or monitor'],
  suspended: ['is suspended to RAM', 'wake it: system_wakeup in its QMP or monitor, or virsh dompmwakeup'],
  'guest-panicked': [
    'has panicked: its kernel no longer runs, and the contents of its ring buffers are lost',
    'see its console for the reason, and restart it: system_reset, then cont, in its QMP or monitor, or virsh reset',
  ],
  'internal-error': [
    'was stopped by an error inside QEMU or KVM',
    "see QEMU's log for the reason, and restart it: system_reset, then cont, or virsh reset",
  ],
  'io-error': [
    'was stopped by an I/O error of its disk on this host',
    'fix that (often a full disk), then resume it: cont, or virsh resume',
  ],
  shutdown: [
    'has shut down, but its QEMU is still running',
    'start it again: system_reset, then cont, or end that QEMU',
  ],
  watchdog: ['was stopped by its watchdog', 'restart it: system_reset, then cont, or virsh reset'],
  debug: ['is stopped by a debugger', 'continue it there'],
  inmigrate: ['is waiting for an incoming migration', 'wait until the migration has completed'],
  'finish-migrate': ['is being migrated to another host', 'trace it there'],
  postmigrate: [
    'was migrated or saved, and is stopped here',
    'trace it where it runs now, or let it run here again: cont, or virsh restore',
  ],
  'save-vm': ['is being saved', 'wait until that is done'],
  'restore-vm': ['is being restored', 'wait until that is done'],
  colo: ['is a COLO secondary that is not running', 'trace the one that runs'],
};

/** Maximum number of file names in one message. */
const mostNames = 4;

/** QEMUs that hold ports of a directory. */
export function qemusOf(dir: string): Holder[] {
  return holdersBelow(dir).filter(isQemu);
}

/**
 * The error for a guest that, according to QEMU's state, does not run; undefined if it runs or the state is unknown.
 */
export function standstill(guest: GuestWords, pid: number, state: RunState): Failure | undefined {
  if (state.kind === 'process-stopped')
    return new Failure(
      exitCode.missing,
      `${guest.label} is not running: its QEMU (pid ${pid}) is stopped by a signal or a debugger`,
      `continue it: kill -CONT ${pid}`,
    );
  if (state.kind === 'unknown' || !Object.hasOwn(standing, state.state)) return undefined;
  const [what, remedy] = standing[state.state] ?? ['', ''];
  return new Failure(
    exitCode.missing,
    `${guest.label} ${what} (QEMU pid ${pid} says ${state.state})`,
    remedy,
  );
}

/**
 * The error for a guest that does not answer, with the reason that QEMU's state gives; undefined if it gives none.
 * Waits as `runStateOf` does.
 */
export async function whyStill(guest: GuestWords): Promise<Failure | undefined> {
  for (const { pid, argv } of qemusOf(guest.path)) {
    const failure = standstill(guest, pid, await runStateOf({ pid, argv }));
    if (failure !== undefined) return failure;
  }
  return undefined;
}

/** A running QEMU, and the files of a guest's directory that it has open and that can no longer be opened by path. */
export interface CutOff {
  readonly qemu: Holder;
  /** Names in the directory, each once; only those that the host would open. */
  readonly files: readonly string[];
}

/** Files that were removed, or replaced by new ones of the same names. */
export function cutOffFiles(dir: string): CutOff | undefined {
  const qemus = [...qemusOf(dir)];
  // An old QEMU that still runs does not matter when another one has the current files open.
  const held = new Set(
    qemus.flatMap(({ files }) => files.filter((file) => !file.isRemoved)).map(({ name }) => name),
  );
  for (const qemu of qemus) {
    const names = qemu.files.filter(({ name, isRemoved }) => isRemoved && hostOpens(name) && !held.has(name));
    const files = [...new Set(names.map(({ name }) => name))].sort();
    if (files.length > 0) return { qemu, files };
  }
  return undefined;
}

/** The error when a running QEMU has removed files open; undefined when none does. */
export function cutOff(guest: GuestWords): Failure | undefined {
  const found = cutOffFiles(guest.path);
  if (found === undefined) return undefined;
  const { qemu, files } = found;
  const { label, options } = guest;
  const shown = files.slice(0, mostNames).join(', ');
  const names = files.length > mostNames ? `${shown} and ${files.length - mostNames} more` : shown;
  // of several sockets, another program often uses the first
  const socket = qmpSockets(qemu.argv).at(-1);
  const keeper = socket === undefined ? '--qmp SOCKET (or --domain DOMAIN)' : `--qmp ${printable(socket)}`;
  return new Failure(
    exitCode.missing,
    `${label} runs, but its QEMU (pid ${qemu.pid}) has ${names} open, removed from ${printable(guest.path)}`,
    `attach new ones: trace-host setup${options} --apply ${keeper}; ` +
      `without QMP, trace-host setup${options} then restart the guest`,
  );
}
