import { editDistance } from '../../base/edit-distance.ts';

/** The name that the user most likely meant; at most a third of its letters may differ from the typed one. */
export function nearestName(typed: string, names: readonly string[]): string | undefined {
  const limit = Math.max(1, Math.floor(typed.length / 3));
  let nearest: string | undefined;
  let least = limit + 1;
  for (const name of names) {
    // also limits the cost for very long input
    if (Math.abs(name.length - typed.length) >= least) continue;
    const distance = editDistance(typed.toLowerCase(), name.toLowerCase());
    if (distance < least) {
      least = distance;
      nearest = name;
    }
  }
  return nearest;
}
