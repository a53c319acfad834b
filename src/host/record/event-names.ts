import type { TraceRequest } from '../../protocol/control.ts';
import type { EventCatalogue } from '../format/event-catalogue.ts';

/**
 * The guest knows systems and `system:event`. People also say `sched_switch`, `sched/sched_switch` and `sched_*`, as
 * to trace-cmd; what the guest's formats know under such a name takes its place, and what they do not know is left
 * for the guest to refuse.
 */
export function resolveEvents(request: TraceRequest, catalogue: EventCatalogue): TraceRequest {
  const { events, eventsOff, filters } = request;
  return {
    ...request,
    ...(events === undefined ? {} : { events: events.flatMap((name) => namesOf(name, catalogue)) }),
    ...(eventsOff === undefined ? {} : { eventsOff: eventsOff.flatMap((name) => namesOf(name, catalogue)) }),
    ...(filters === undefined
      ? {}
      : {
          filters: Object.fromEntries(
            Object.entries(filters).flatMap(([name, filter]) =>
              namesOf(name, catalogue).map((each): [string, string] => [each, filter]),
            ),
          ),
        }),
  };
}

function namesOf(asked: string, catalogue: EventCatalogue): string[] {
  const [system, event] = splitName(asked);
  const formats = [...catalogue.formats()].filter((format) => format.system !== 'ftrace');
  if (event === undefined && formats.some((format) => format.system === system)) return [system];
  const matches =
    event === undefined
      ? formats.filter((format) => matcher(system).test(format.name))
      : formats.filter((format) => matcher(system).test(format.system) && matcher(event).test(format.name));
  return matches.length > 0 ? matches.map((format) => format.fullName) : [asked];
}

function splitName(asked: string): [string, string | undefined] {
  const at = asked.search(/[:/]/);
  return at === -1 ? [asked, undefined] : [asked.slice(0, at), asked.slice(at + 1)];
}

/** A shell pattern of which only `*` and `?` are special. */
function matcher(pattern: string): RegExp {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`);
}
