import type { ShiftSample, TimeShift } from '../dat/time-shift.ts';

/** What to add to the times in a range, ends included. */
export interface Correction {
  readonly add: bigint;
  readonly from: bigint;
  readonly to: bigint;
}

const endOfTime = (1n << 64n) - 1n;
const u64 = (value: bigint): bigint => BigInt.asUintN(64, value);
const s64 = (value: bigint): bigint => BigInt.asIntN(64, value);

/** The correction of one CPU's times; undefined if they stay as they are. */
export function shiftedTimeOf({ cpus, interpolates }: TimeShift, cpu: number): ShiftedTime | undefined {
  const samples = cpus[cpu] ?? [];
  return samples.length === 0 ? undefined : new ShiftedTime(samples, interpolates);
}

/**
 * Converts times of a guest's CPU to times of the host, as `timestamp_host_sync` of trace-cmd's trace-input.c does:
 * with 64 bits that wrap, and with a single sample's scale ignored.
 */
export class ShiftedTime {
  readonly #samples: readonly ShiftSample[];
  readonly #interpolates: boolean;

  /** @param samples at least one, in order of their times */
  constructor(samples: readonly ShiftSample[], interpolates: boolean) {
    this.#samples = samples;
    this.#interpolates = interpolates;
  }

  at(time: bigint): bigint {
    return u64(time + this.correction(time).add);
  }

  /** The correction at a time, with the range of times for which it is the same. */
  correction(time: bigint): Correction {
    const samples = this.#samples;
    if (samples.length === 1) return { add: samples[0]!.offset, from: 0n, to: endOfTime };
    const index = this.#segment(time);
    const low = samples[index]!;
    const from = index === 0 ? 0n : low.time;
    const to = index === samples.length - 2 ? endOfTime : samples[index + 1]!.time - 1n;
    const { add, first, last } = this.#interpolates
      ? interpolated(time, low, samples[index + 1]!)
      : { add: low.offset, first: from, last: to };
    const { scale, fractionBits } = low;
    if (scale !== 1n || (fractionBits & 63n) !== 0n) {
      // a shift by 64 bits or more counts modulo 64 on x86
      const scaled = u64(time * scale) >> (fractionBits & 63n);
      return { add: scaled - time + add, from: time, to: time };
    }
    return { add, from: first > from ? first : from, to: last < to ? last : to };
  }

  /**
   * Whether the correction surely keeps times in order. False for steep lines, which no real clocks have: rounding can
   * step back there, and the product soon wraps.
   */
  get isMonotone(): boolean {
    const samples = this.#samples;
    if (samples.length === 1) return true;
    return samples.every(({ time, offset, scale, fractionBits }, index) => {
      if (scale !== 1n || (fractionBits & 63n) !== 0n) return false;
      const next = samples[index + 1];
      if (next === undefined) return true;
      const rise = next.offset - offset;
      if (!this.#interpolates) return rise >= 0n;
      return 2n * (rise < 0n ? -rise : rise) <= next.time - time;
    });
  }

  /** The earliest time that is converted to `time` or later. Only for a monotone correction. */
  earliest(time: bigint): bigint {
    let low = 0n;
    let high = endOfTime;
    while (low < high) {
      const middle = (low + high) >> 1n;
      if (middle + this.correction(middle).add < time) low = middle + 1n;
      else high = middle;
    }
    return low;
  }

  /** Index of the sample before a time; for a time outside all samples, that of the first or the last but one. */
  #segment(time: bigint): number {
    const samples = this.#samples;
    let low = 0;
    let high = samples.length - 2;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (time < samples[middle]!.time) high = middle - 1;
      else low = middle;
    }
    return low;
  }
}

/** The offset on the line through two samples, rounded as in trace-cmd, and the times with the same offset. */
function interpolated(
  time: bigint,
  low: ShiftSample,
  high: ShiftSample,
): { readonly add: bigint; readonly first: bigint; readonly last: bigint } {
  const span = high.time - low.time;
  const rise = high.offset - low.offset;
  const product = (time - low.time) * rise;
  const wraps = s64(product) !== product || s64(product + span / 2n) !== product + span / 2n;
  const quotient = s64(s64(product) + span / 2n) / span;
  const add = low.offset + quotient;
  if (wraps) return { add, first: time, last: time };
  if (rise === 0n) return { add, first: 0n, last: endOfTime };
  // the dividends that give this quotient: division rounds toward zero
  const least = quotient > 0n ? quotient * span : (quotient - 1n) * span + 1n;
  const most = quotient < 0n ? quotient * span : (quotient + 1n) * span - 1n;
  const bounds = [least, most].map((dividend) => dividend - span / 2n);
  const [from, to] = rise > 0n ? bounds : bounds.toReversed();
  return { add, first: low.time + ceilDiv(from!, rise), last: low.time - ceilDiv(-to!, rise) };
}

function ceilDiv(value: bigint, divisor: bigint): bigint {
  const quotient = value / divisor;
  const isExact = quotient * divisor === value;
  return !isExact && value < 0n === divisor < 0n ? quotient + 1n : quotient;
}
