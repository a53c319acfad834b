import { exitCode, Failure } from '../../../../base/failure.ts';
import { quoted } from '../../../../base/quoted.ts';

/** A time on the command line. The meaning of its digits depends on the trace's clock. */
export interface TimePoint {
  /** The reference point: the clock's zero, the first event (counted forward), or the last event (counted back). */
  readonly base: 'zero' | 'first' | 'last';
  readonly whole: string;
  /** Digits after the decimal point; empty for none. */
  readonly fraction: string;
  /** Empty: seconds, or the unit of a clock that does not count time. */
  readonly unit: '' | Unit;
  /** The option and the text, for messages. */
  readonly given: string;
}

type Unit = 'ns' | 'us' | 'ms' | 's' | 'm' | 'h';

/** Nanoseconds in a unit: `factor` times 10 to the power of `places`, which is also the maximum number of decimals. */
const units: Readonly<Record<Unit, { readonly places: number; readonly factor: bigint }>> = {
  ns: { places: 0, factor: 1n },
  us: { places: 3, factor: 1n },
  ms: { places: 6, factor: 1n },
  s: { places: 9, factor: 1n },
  m: { places: 9, factor: 60n },
  h: { places: 9, factor: 3600n },
};

const pattern = /^(\+\s*|last\s+)?(\d{1,20})(?:\.(\d{1,9}))?(ns|us|ms|[smh])?$/;

/** Parses `12.345678`, `+2.5s` or `last 2s`. Throws Failure (usage). */
export function parseTimePoint(text: string, name: string): TimePoint {
  const [match, prefix = '', whole = '', fraction = '', unit = ''] = pattern.exec(text.trim()) ?? [];
  if (match === undefined)
    throw new Failure(
      exitCode.usage,
      `${name}: ${quoted(text)} is not a time`,
      'use seconds such as 12.345678, +2.5s after the first event, or "last 2s"',
    );
  const base = prefix === '' ? 'zero' : prefix.startsWith('+') ? 'first' : 'last';
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the pattern allows only these
  return { base, whole, fraction, unit: unit as TimePoint['unit'], given: `${name} ${quoted(text)}` };
}

/** The report rounds to microseconds: events printed with a time are within half a microsecond of it. */
const printedPlaces = 6;
const halfPrinted = 500n;

/**
 * The time in the clock's unit. An absolute time with as many digits as the report prints includes all events that the
 * report prints with that time. Throws Failure (usage) for seconds of a clock that does not count time.
 * @param unit the unit of the buffer's clock; null if it does not count time
 * @param span times of the first and last event; needed if `base` is one of them
 */
export function timeOf(
  point: TimePoint,
  side: 'from' | 'to',
  unit: 'ns' | null,
  span: { readonly first: bigint; readonly last: bigint } | undefined,
): bigint {
  const count = unit === null ? ticksOf(point) : nanosecondsOf(point);
  if (point.base === 'first') return (span?.first ?? 0n) + count;
  if (point.base === 'last') {
    const time = (span?.last ?? 0n) - count;
    return time < 0n ? 0n : time;
  }
  const isPrinted = unit === 'ns' && point.fraction.length === printedPlaces && /^s?$/.test(point.unit);
  if (!isPrinted) return count;
  if (side === 'to') return count + halfPrinted - 1n;
  return count < halfPrinted ? 0n : count - halfPrinted;
}

function nanosecondsOf({ whole, fraction, unit, given }: TimePoint): bigint {
  const { places, factor } = units[unit === '' ? 's' : unit];
  const digits = fraction.replace(/0+$/, '');
  if (digits.length > places)
    throw new Failure(
      exitCode.usage,
      `${given} has more than nanosecond precision`,
      `use at most ${places} decimal places`,
    );
  return BigInt(whole + digits.padEnd(places, '0')) * factor;
}

function ticksOf({ whole, fraction, unit, given }: TimePoint): bigint {
  if (fraction === '' && unit === '') return BigInt(whole);
  throw new Failure(
    exitCode.usage,
    `${given}: the clock of this trace does not count seconds`,
    'use whole numbers without a unit, as the report prints them',
  );
}
