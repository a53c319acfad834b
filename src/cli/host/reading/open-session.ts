import { printable } from '../../../base/quoted.ts';
import {
  guestPath,
  type Machine,
  openSession,
  type Session,
  type SessionSettings,
} from '../../../trace/session.ts';
import type { SessionCommand } from '../options/reading/session-options.ts';

/** The machines that a command reads. */
export interface OpenMachines {
  readonly session: Session;
  readonly machines: readonly Machine[];
}

/**
 * Opens the traces of a command. Warns of guests whose files are missing, and of those whose times are not the host's.
 * The caller closes the session. Throws Failure.
 */
export async function openMachines(
  { inputs, machines: names }: SessionCommand,
  settings: SessionSettings = {},
): Promise<OpenMachines> {
  const session = await openSession(inputs, settings);
  try {
    const wanted = names && new Set(names.map((name) => session.machine(name)));
    const machines = session.machines.filter((machine) => wanted?.has(machine) ?? true);
    if (wanted === undefined) warnOfMissing(session);
    if (machines.length > 1) warnOfOwnTimes(machines);
    return { session, machines };
  } catch (error) {
    await session.close();
    throw error;
  }
}

function warnOfMissing({ machines, missing }: Session): void {
  const host = machines[0]!.trace.path;
  for (const name of missing)
    warn(
      `${printable(host)} was recorded with ${printable(name)}, and ${printable(guestPath(host, name))} is missing or ` +
        'of another recording — name its file, too',
    );
}

function warnOfOwnTimes(machines: readonly Machine[]): void {
  for (const { name, trace, hasHostTimes } of machines)
    if (!hasHostTimes)
      warn(`${printable(name)}: ${printable(trace.path)} has times of its own clock, not of the host's`);
}

function warn(text: string): void {
  process.stderr.write(`trace-host: ${text}\n`);
}
