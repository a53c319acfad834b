import { exitCode, Failure } from '../failure.ts';
import { quoted } from '../quoted.ts';

/** Longer waits are surely a slip; it also keeps timers far from Node's 2^31 ms. */
const maxDurationMs = 60 * 60 * 1000;

/** Reads whole milliseconds, bare or as `500ms`, or whole seconds as `10s`; 0 to an hour. Throws Failure (usage). */
export function parseDurationMs(text: string, name: string): number {
  const match = /^(\d+)(ms|s)?$/.exec(text.trim());
  const remedy = 'give milliseconds, or a time such as 500ms or 10s';
  if (match === null) throw new Failure(exitCode.usage, `${name}: ${quoted(text)} is no time`, remedy);
  const durationMs = Number(match[1]) * (match[2] === 's' ? 1000 : 1);
  if (durationMs > maxDurationMs)
    throw new Failure(exitCode.usage, `${name}: ${quoted(text)} is more than an hour`, remedy);
  return durationMs;
}
