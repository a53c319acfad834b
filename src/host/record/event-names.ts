import { exitCode, Failure } from '../../failure.ts';
import type { TraceRequest } from '../../protocol/control.ts';
import { formatEventSpec, parseEventSpec } from '../../protocol/event-name.ts';
import { quoted } from '../../quoted.ts';
import { globOf } from './glob.ts';

/** Names of a kernel's events by system, as they can be switched on. */
export type KnownEvents = ReadonlyMap<string, ReadonlySet<string>>;

/** @param paths of the files of a metadata archive: an event is known whose format cannot be read, too */
export function knownEvents(paths: Iterable<string>): KnownEvents {
  const known = new Map<string, Set<string>>();
  for (const path of paths) {
    const [, system, event] = /^events\/([^/]+)\/([^/]+)\/format$/.exec(path) ?? [];
    // those of ftrace are written by tracers, and cannot be switched on
    if (system === undefined || event === undefined || system === 'ftrace') continue;
    const events = known.get(system) ?? new Set();
    known.set(system, events.add(event));
  }
  return known;
}

/**
 * The guest knows systems and `system:event`. People also say what the kernel's `set_event` and trace-cmd take; what
 * the guest's kernel has under such a name takes its place.
 */
export class EventNames {
  readonly #known: KnownEvents;
  readonly #skip: ((name: string) => void) | undefined;
  readonly #skipped = new Set<string>();

  /** @param skip is told of names of no event, that are left out; without it they are an error */
  constructor(known: KnownEvents, skip?: (name: string) => void) {
    this.#known = known;
    this.#skip = skip;
  }

  /**
   * The request with such names only as the guest knows. A plain name that nothing has is left for the guest to refuse,
   * as it says what is near it.
   * @throws Failure of a pattern that matches nothing
   */
  resolve(request: TraceRequest): TraceRequest {
    const { events, eventsOff, filters, triggers } = request;
    return {
      ...request,
      ...(events === undefined ? {} : { events: this.#namesOf(events) }),
      ...(eventsOff === undefined ? {} : { eventsOff: this.#namesOf(eventsOff) }),
      ...(filters === undefined ? {} : { filters: this.#keysOf(filters, (name) => [name]) }),
      ...(triggers === undefined ? {} : { triggers: this.#keysOf(triggers, (name) => this.#eventsOf(name)) }),
    };
  }

  #namesOf(asked: readonly string[]): string[] {
    return [...new Set(asked.flatMap((name) => this.#find(name)))];
  }

  #keysOf<Value>(
    asked: Readonly<Record<string, Value>>,
    each: (name: string) => readonly string[],
  ): Record<string, Value> {
    return Object.fromEntries(
      Object.entries(asked).flatMap(([name, value]) =>
        this.#find(name)
          .flatMap(each)
          .map((found): [string, Value] => [found, value]),
      ),
    );
  }

  /** A system's events, as triggers are not set for a system. */
  #eventsOf(name: string): string[] {
    const spec = parseEventSpec(name);
    if (spec === undefined || spec.event !== undefined) return [name];
    return [...(this.#known.get(spec.system) ?? [])].map((event) => `${spec.system}:${event}`);
  }

  #find(asked: string): string[] {
    const exact = this.#exact(asked);
    if (exact !== undefined) return [exact];
    // a comma may be part of a class, and of a name
    return asked.split(/,(?![^[]*\])/).flatMap((name) => {
      const found = this.#exact(name) ?? this.#matching(name);
      if (found.length > 0) return found;
      if (this.#skip !== undefined) {
        if (!this.#skipped.has(name)) this.#skip(name);
        this.#skipped.add(name);
        return [];
      }
      if (parseEventSpec(name) !== undefined && !/[*?[]/.test(name)) return [name];
      throw new Failure(
        exitCode.failed,
        `the guest has no event ${quoted(name)}`,
        "see available_events in the guest's tracefs",
      );
    });
  }

  #exact(name: string): string | undefined {
    const spec = parseEventSpec(name);
    const events = spec === undefined ? undefined : this.#known.get(spec.system);
    if (spec?.event === undefined || events?.has(spec.event) !== true) return undefined;
    return formatEventSpec(spec);
  }

  /** A system whose events all match is named as such: an order for all events is short then. */
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

/** trace-cmd's word for everything. */
function allOr(pattern: string): RegExp {
  return globOf(pattern === 'all' ? '*' : pattern);
}
