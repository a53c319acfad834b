import type { EventBatch } from '../trace/events/event-batches.ts';
import { type EventFilter, Trace } from '../trace/open.ts';
import { type Machine, Session } from '../trace/session.ts';
import type { ExportOptions } from './export-options.ts';

/** What an export reads: a trace, a session, or some machines of a session, of which the first one is treated as the host. */
export type ExportSource = Trace | Session | readonly Machine[];

export interface MachinesOptions extends Omit<ExportOptions, 'filter'> {
  /** Which events to export; all by default. One filter for all machines, or one for each (undefined leaves it out). */
  readonly filter?: EventFilter | ((machine: Machine) => EventFilter | undefined);
}

/** The machines to export. A trace that is read alone is a machine without a name. */
export function machinesOf(from: ExportSource): readonly Machine[] {
  if (from instanceof Trace) return [{ name: '', trace: from, vcpuTids: new Map(), hasHostTimes: true }];
  return from instanceof Session ? from.machines : from;
}

/** The filter of one machine; undefined leaves it out. */
export function filterOf(machine: Machine, { filter = {} }: MachinesOptions): EventFilter | undefined {
  return typeof filter === 'function' ? filter(machine) : filter;
}

/** All events of some machines in time order; `event.machine` names the machine if there are several. */
export function eventsOf(
  machines: readonly Machine[],
  options: MachinesOptions,
): AsyncIterable<EventBatch> | readonly EventBatch[] {
  const [only, ...more] = machines;
  if (only === undefined || more.length > 0)
    return new Session(machines, []).events((machine) => filterOf(machine, options));
  const filter = filterOf(only, options);
  return filter === undefined ? [] : only.trace.events(filter);
}
