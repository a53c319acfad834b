import { printable } from '../../../base/quoted.ts';
import { guestPath, type Machine, openSession, type Session } from '../../../trace/session.ts';
import type { EventFilter, Trace } from '../../../trace/open.ts';
import { eventFilter, type Selection } from '../options/reading/selection.ts';
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
export async function openMachines({ inputs, machines: names }: SessionCommand): Promise<OpenMachines> {
  const session = await openSession(inputs);
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

/**
 * What to read of each machine; undefined leaves it out. Kernels differ: an event that only some of the machines have
 * is taken from those. Throws Failure, also if none has it.
 */
export function filtersOf(
  machines: readonly Machine[],
  selection: Selection,
): ReadonlyMap<Trace, EventFilter | undefined> {
  const { events } = selection.filter;
  const names = events && [...events];
  const known = new Map(
    machines.map(({ trace }) => {
      const all = new Set(trace.formats().flatMap(({ system, fullName }) => [system, fullName]));
      return [trace, names?.filter((name) => all.has(name))] as const;
    }),
  );
  const isMissing = names?.some((name) => ![...known.values()].some((own) => own?.includes(name)));
  return new Map(
    machines.map(({ trace }) => {
      const own = known.get(trace);
      if (own === undefined || isMissing === true) return [trace, eventFilter(trace, selection)];
      if (own.length === 0) return [trace, undefined];
      return [trace, eventFilter(trace, { ...selection, filter: { ...selection.filter, events: own } })];
    }),
  );
}
