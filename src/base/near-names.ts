import { editDistance } from './edit-distance.ts';

/**
 * Maximum number of characters that are compared: the time grows with the square of the length. The rest of a longer
 * name is ignored.
 */
const maxComparedLength = 200;

/**
 * At most three of `known` that someone who typed `name` may have meant, best first: the same event in another
 * system, then the names with the smallest edit distance.
 */
export function nearNames(name: string, known: readonly string[]): string[] {
  const wanted = name.slice(0, maxComparedLength).replace('/', ':');
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
