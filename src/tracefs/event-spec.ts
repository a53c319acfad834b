import { editDistance } from '../edit-distance.ts';

/** An event, or with `event` undefined a whole system of them. */
export interface EventSpec {
  readonly system: string;
  readonly event: string | undefined;
}

const maxSpecLength = 200;

/** Reads `sched`, `sched:sched_switch` or `sched/sched_switch`; undefined when it is none of these. */
export function parseEventSpec(text: string): EventSpec | undefined {
  if (text.length > maxSpecLength) return undefined;
  // The first character keeps "." and ".." out; the kernel's own names hold letters, digits and "_" only.
  const match = /^(\w[\w.-]*)(?:[:/](\w[\w.-]*))?$/.exec(text);
  if (match?.[1] === undefined) return undefined;
  return { system: match[1], event: match[2] };
}

export function formatEventSpec({ system, event }: EventSpec): string {
  return event === undefined ? system : `${system}:${event}`;
}

/**
 * At most three of `known` that someone who typed `name` may have meant, best first: the same event in another
 * system, then whatever takes the fewest letters to change.
 */
export function nearNames(name: string, known: readonly string[]): string[] {
  const wanted = name.slice(0, maxSpecLength).replace('/', ':');
  const wantedEvent = wanted.slice(wanted.indexOf(':') + 1);
  const limit = Math.max(2, Math.floor(wanted.length / 4));
  return known
    .map((candidate) => {
      const event = candidate.slice(candidate.indexOf(':') + 1);
      const distance =
        event === wantedEvent ? 0 : Math.min(editDistance(wanted, candidate), editDistance(wanted, event));
      return { candidate, distance };
    })
    .filter(({ distance }) => distance <= limit)
    .toSorted((a, b) => a.distance - b.distance || (a.candidate < b.candidate ? -1 : 1))
    .slice(0, 3)
    .map(({ candidate }) => candidate);
}
