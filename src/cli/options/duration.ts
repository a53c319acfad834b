import { exitCode, Failure } from '../../base/failure.ts';
import { quoted } from '../../base/quoted.ts';

/** Longer waits are surely a slip; it also keeps timers far from Node's 2^31 ms. */
const maxDurationMs = 60 * 60 * 1000;

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Reads whole milliseconds, bare or as `500ms`, or `10s`, `1.5m`, `1h`; 0 to an hour. Throws Failure (usage). */
export function parseDurationMs(text: string, name: string): number {
  const durationMs = parseTimeMs(text, name, 'ms');
  if (durationMs <= maxDurationMs) return durationMs;
  throw new Failure(
    exitCode.usage,
    `${name}: ${quoted(text)} is more than an hour`,
    'give e.g. 500ms, 10s or 5m',
  );
}

/** The same without a limit. @param bareUnit of a number alone */
export function parseTimeMs(text: string, name: string, bareUnit: 'ms' | 's'): number {
  const [, count, unit = bareUnit] = /^(\d+(?:\.\d+)?)(ms|[smh])?$/.exec(text.trim()) ?? [];
  const durationMs = Number(count) * (unitMs[unit] ?? Number.NaN);
  const wholeMs = Math.round(durationMs);
  // 1.005 times 1000 is a little less than 1005
  const isWhole = Math.abs(durationMs - wholeMs) < 1e-6 * Math.max(1, wholeMs);
  if (isWhole || durationMs === Number.POSITIVE_INFINITY) return wholeMs;
  const units = bareUnit === 's' ? 'seconds' : 'milliseconds';
  throw new Failure(
    exitCode.usage,
    `${name}: ${quoted(text)} is no time`,
    `give ${units}, or a time such as 500ms, 10s or 5m`,
  );
}
