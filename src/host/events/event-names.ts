import { exitCode, Failure } from '../../base/failure.ts';
import type { TraceRequest } from '../../protocol/control.ts';
import { formatEventSpec, parseEventSpec } from '../../protocol/event-name.ts';
import { maxFilters, maxTriggers } from '../../protocol/trace-request.ts';
import { quoted } from '../../base/quoted.ts';
import { type Glob, globOf } from './glob.ts';

/** The names of the events that can be enabled in a kernel, for each system. */
export type KnownEvents = ReadonlyMap<string, ReadonlySet<string>>;

/** @param paths of the files of a metadata archive, so that events with an unreadable format are known too */
export function knownEvents(paths: Iterable<string>): KnownEvents {
  const known = new Map<string, Set<string>>();
  for (const path of paths) {
    const [, system, event] = /^events\/([^/]+)\/([^/]+)\/format$/.exec(path) ?? [];
    // tracers write the events of the system ftrace, which cannot be enabled
    if (system === undefined || event === undefined || system === 'ftrace') continue;
    // skip a name that no kernel has: with it, a guest could make the search take arbitrarily long
    if (parseEventSpec(`${system}:${event}`) === undefined) continue;
    const events = known.get(system) ?? new Set();
    known.set(system, events.add(event));
  }
  return known;
}

/** What to skip. */
export interface Skipping {
  /** Whether what was asked for, a name or several, may be unknown. */
  readonly mayLack: (asked: string) => boolean;
  /** Called once for each name that matches no event. */
  readonly skip: (name: string) => void;
}

/**
 * A guest accepts systems and `system:event`. Users may also write what the kernel's `set_event` and trace-cmd
 * accept: such names are replaced by the matching names of the guest's kernel.
 */
export class EventNames {
  readonly #known: KnownEvents;
  readonly #skipping: Skipping | undefined;
  readonly #owner: string;
  readonly #skipped = new Set<string>();

  /**
   * @param skipping names to skip if they match no event; any other such name is an error
   * @param owner for messages
   */
  constructor(known: KnownEvents, skipping?: Skipping, owner = "the guest's") {
    this.#known = known;
    this.#owner = owner;
    this.#skipping = skipping;
  }

  /**
   * The request with expanded names. A plain name that does not match is left for the guest to refuse, because its
   * error suggests similar names.
   * @throws Failure for a pattern that matches nothing
   */
  resolve(request: TraceRequest): TraceRequest {
    const { events, eventsOff, filters, triggers } = request;
    return {
      ...request,
      ...(events === undefined ? {} : { events: this.#namesOf(events) }),
      ...(eventsOff === undefined ? {} : { eventsOff: this.#namesOf(eventsOff) }),
      ...(filters === undefined
        ? {}
        : {
            filters: few(
              'filters',
              maxFilters,
              this.#keysOf(filters, (name) => [name], bothFilters),
            ),
          }),
      ...(triggers === undefined
        ? {}
        : {
            triggers: few(
              'triggers',
              maxTriggers,
              this.#keysOf(triggers, (name) => this.#eventsOf(name), bothTriggers),
            ),
          }),
    };
  }

  #namesOf(asked: readonly string[]): string[] {
    return [...new Set(asked.flatMap((name) => this.#find(name)))];
  }

  /** @param both combines the values when two names refer to one event */
  #keysOf<Value>(
    asked: Readonly<Record<string, Value>>,
    each: (name: string) => readonly string[],
    both: (first: Value, second: Value) => Value,
  ): Record<string, Value> {
    const found = new Map<string, Value>();
    for (const [name, value] of Object.entries(asked)) {
      for (const event of new Set(this.#find(name).flatMap(each))) {
        const before = found.get(event);
        found.set(event, before === undefined ? value : both(before, value));
      }
    }
    return Object.fromEntries(found);
  }

  /** All events of a system, because a trigger cannot be set for a whole system. */
  #eventsOf(name: string): string[] {
    const spec = parseEventSpec(name);
    if (spec === undefined || spec.event !== undefined) return [name];
    return [...(this.#known.get(spec.system) ?? [])].map((event) => `${spec.system}:${event}`);
  }

  #find(asked: string): string[] {
    const exact = this.#exact(asked);
    if (exact !== undefined) return [exact];
    // a comma may be part of a character class, and of a name
    const names = asked.split(/\s+|,(?![^[]*\])/).filter((name) => name !== '');
    if (names.length === 0) throw new Failure(exitCode.usage, 'an event without a name', 'give one after -e');
    return names.flatMap((name) => {
      const found = this.#exact(name) ?? this.#matching(name);
      if (found.length > 0) return found;
      if (this.#skipping?.mayLack(asked) === true) {
        if (!this.#skipped.has(name)) this.#skipping.skip(name);
        this.#skipped.add(name);
        return [];
      }
      if (parseEventSpec(name) !== undefined && !/[*?[]/.test(name)) return [name];
      throw new Failure(
        exitCode.failed,
        `${this.#owner} kernel has no event ${quoted(name)}`,
        `see available_events in ${this.#owner} tracefs`,
      );
    });
  }

  #exact(name: string): string | undefined {
    const spec = parseEventSpec(name);
    const events = spec === undefined ? undefined : this.#known.get(spec.system);
    if (spec?.event === undefined || events?.has(spec.event) !== true) return undefined;
    return formatEventSpec(spec);
  }

  /** A system whose events all match is sent as the system's name, so that an order for all events stays short. */
  #matching(pattern: string): string[] {
    const at = pattern.search(/[:/]/);
    const first = at === -1 ? allOr(pattern) : globOf(pattern.slice(0, at) || '*');
    const second = at === -1 ? first : globOf(pattern.slice(at + 1) || '*');
    return [...this.#known].flatMap(([system, events]) => {
      const ofSystem = first.test(system);
      if (at === -1 && ofSystem) return [system];
      if (at !== -1 && !ofSystem) return [];
      const matching = [...events].filter((event) => second.test(event));
      if (matching.length === events.size) return [system];
      return matching.map((event) => `${system}:${event}`);
    });
  }
}

function bothFilters(first: string, second: string): string {
  return `(${first}) && (${second})`;
}

function bothTriggers(first: readonly string[], second: readonly string[]): string[] {
  return [...new Set([...first, ...second])];
}

/** A glob for event names; `all` matches every name, as in trace-cmd. */
function allOr(pattern: string): Glob {
  return globOf(pattern === 'all' ? '*' : pattern);
}

/**
 * Checks the number of filters or triggers.
 * @throws Failure for more than the guest accepts: its kernel needs time for each
 */
function few<Value>(what: string, most: number, byEvent: Record<string, Value>): Record<string, Value> {
  const count = Object.values(byEvent).flat().length;
  if (count <= most) return byEvent;
  throw new Failure(
    exitCode.usage,
    `${count} events would get ${what}; a guest accepts ${most}`,
    what === 'filters' ? 'give a whole system, or fewer events' : 'give fewer events',
  );
}
