import { exitCode, Failure } from '../../base/failure.ts';
import { quoted } from '../../base/quoted.ts';

/** Maximum duration: a longer wait is surely a typo. It is far below Node's timer limit of 2^31 ms. */
const maxDurationMs = 60 * 60 * 1000;

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Parses a duration of 0 to an hour: `500` or `500ms`, `10s`, `1.5m`, `1h`. Throws Failure (usage). */
export function parseDurationMs(text: string, name: string): number {
  const durationMs = parseTimeMs(text, name, 'ms');
  if (durationMs <= maxDurationMs) return durationMs;
  throw new Failure(
    exitCode.usage,
    `${name}: ${quoted(text)} is more than an hour`,
    'use e.g. 500ms, 10s or 5m',
  );
}

/** Like `parseDurationMs`, without a limit. @param bareUnit unit of a number without a unit */
export function parseTimeMs(text: string, name: string, bareUnit: 'ms' | 's'): number {
  const [, count, unit = bareUnit] = /^(\d+(?:\.\d+)?)(ms|[smh])?$/.exec(text.trim()) ?? [];
  const durationMs = Number(count) * (unitMs[unit] ?? Number.NaN);
  const wholeMs = Math.round(durationMs);
  // floating point: 1.005 times 1000 is slightly less than 1005
  const isWhole = Math.abs(durationMs - wholeMs) < 1e-6 * Math.max(1, wholeMs);
  if (isWhole || durationMs === Number.POSITIVE_INFINITY) return wholeMs;
  const units = bareUnit === 's' ? 'seconds' : 'milliseconds';
  throw new Failure(
    exitCode.usage,
    `${name}: ${quoted(text)} is not a time`,
    `give a number of ${units}, or a time with a unit such as 500ms, 10s or 5m`,
  );
}
