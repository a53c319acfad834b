import type { ShiftSample, TimeShift } from '../trace/dat/time-shift.ts';
import { shiftedTimeOf } from '../trace/events/shifted-time.ts';
import type { TimeSpan } from '../trace/open.ts';
import type { PingSample } from './map/observations.ts';

/** How far a TIME_SHIFT may be wrong. */
export const mostErrorNs = 4_000_000;
/** A TIME_SHIFT that does not state its error is never taken to be better than this. */
const leastErrorNs = 1_000_000;
/** Nor than so many times the scatter of the samples, and so many times what was found in between. */
const safety = 2;
/** Time between two places where the shift is used, if there are not more of them than `mostPlaces`. */
const usualStep = 250_000_000n;
const mostPlaces = 4096;
/** Of more samples only some are used. */
const mostSamples = 1 << 16;
/** Where the offsets of neighbouring samples differ more than the clocks' rates can, the clock jumped: ppm. */
const steepest = 2000n;

/** A sample of the shift, as a point of the relation between the clocks. */
interface Knot {
  readonly time: bigint;
  /** host − guest. */
  readonly offset: bigint;
}

/** What an earlier alignment, in a TIME_SHIFT, says about the times of a trace. */
export class EarlierShift {
  readonly #knots: readonly Knot[];
  readonly #span: TimeSpan;
  readonly #leastNs: number;
  /** The error that it states, if that is less. */
  readonly #statedNs: number | undefined;

  private constructor(knots: readonly Knot[], span: TimeSpan, leastNs: number, statedNs: number | undefined) {
    this.#knots = knots;
    this.#span = span;
    this.#leastNs = leastNs;
    this.#statedNs = statedNs;
  }

  /** Undefined if the shift has no samples. @param span the trace, by its own clock */
  static of(shift: TimeShift, span: TimeSpan): EarlierShift | undefined {
    const cpu = shift.cpus.findIndex(({ length }) => length > 0);
    const shifted = shiftedTimeOf(shift, cpu);
    if (shifted === undefined) return undefined;
    const samples = fewer(shift.cpus[cpu] ?? []);
    const knots = samples.map(({ time }): Knot => {
      return { time, offset: BigInt.asIntN(64, shifted.at(BigInt.asUintN(64, time)) - time) };
    });
    const stated = shift.quality?.boundNs;
    const least = Math.max(leastErrorNs, safety * scatterOf(knots)) + spread(shift, cpu, span);
    const isUsable = stated !== undefined && stated > 0 && stated < least;
    return new EarlierShift(knots, span, least, isUsable ? Math.ceil(stated) : undefined);
  }

  /**
   * What the shift says at places all over the trace, if it is wrong by at most `errorNs`. If the clock jumped between two
   * samples, only at these.
   */
  pings(errorNs: number): PingSample[] {
    const { first, last } = this.#span;
    const error = BigInt(Math.ceil(errorNs));
    const length = last - first;
    const share = length / BigInt(mostPlaces);
    const step = share > usualStep ? share : usualStep;
    const pingAt = (guest: bigint, offset: bigint): PingSample => {
      const host = guest + offset;
      return { hostBefore: host - error, guest, hostAfter: host + error, method: 'time-shift' };
    };
    const pings: PingSample[] = [];
    for (let guest = first; ; guest += step) {
      if (guest > last) guest = last;
      const offset = this.#offsetAt(guest);
      if (offset !== undefined) pings.push(pingAt(guest, offset));
      if (guest === last) break;
    }
    return [...pings, ...this.#besideJumps().map(({ time, offset }) => pingAt(time, offset))];
  }

  /** How far a relation of the clocks is from the shift, at most, in ns. */
  distance(samples: readonly { readonly guest: bigint; readonly host: bigint }[]): number {
    return samples.reduce((most, { guest, host }) => {
      const offset = this.#offsetAt(guest);
      return offset === undefined ? most : Math.max(most, Math.abs(Number(host - guest - offset)));
    }, 0);
  }

  /** Errors to assume, least first, if the shift was found to be wrong by `foundNs`: all below `mostErrorNs`. */
  narrower(foundNs: number): number[] {
    const usual = Math.max(this.#leastNs, safety * foundNs);
    const stated = this.#statedNs !== undefined && foundNs <= this.#statedNs ? [this.#statedNs] : [];
    return [...stated, usual].filter((error) => error < mostErrorNs);
  }

  #besideJumps(): Knot[] {
    const found: Knot[] = [];
    for (const [index, knot] of this.#knots.entries()) {
      const [before, after] = [this.#knots[index - 1], this.#knots[index + 1]];
      const isBeside = (before && isSteep(before, knot)) || (after && isSteep(knot, after));
      if (isBeside === true && found.length < mostPlaces) found.push(knot);
    }
    return found;
  }

  #offsetAt(guest: bigint): bigint | undefined {
    const knots = this.#knots;
    let low = 0;
    let high = Math.max(0, knots.length - 2);
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (knots[middle]!.time > guest) high = middle - 1;
      else low = middle;
    }
    const [from, to] = [knots[low]!, knots[low + 1]];
    if (to === undefined) return from.offset;
    return isSteep(from, to) ? undefined : offsetBetween(from, to, guest);
  }
}

function fewer(samples: readonly ShiftSample[]): readonly ShiftSample[] {
  const every = Math.ceil(samples.length / mostSamples);
  return every <= 1 ? samples : samples.filter((_, index) => index % every === 0);
}

function isSteep(from: Knot, to: Knot): boolean {
  const rise = to.offset - from.offset;
  return (rise < 0n ? -rise : rise) * 1_000_000n > (to.time - from.time) * steepest;
}

function offsetBetween(from: Knot, to: Knot, time: bigint): bigint {
  return from.offset + ((time - from.time) * (to.offset - from.offset)) / (to.time - from.time);
}

/** How far a sample is from the line between its neighbours, at most. */
function scatterOf(knots: readonly Knot[]): number {
  let most = 0;
  for (let index = 1; index + 1 < knots.length; index++) {
    const [before, knot, after] = [knots[index - 1]!, knots[index]!, knots[index + 1]!];
    if (isSteep(before, knot) || isSteep(knot, after)) continue;
    most = Math.max(most, Math.abs(Number(knot.offset - offsetBetween(before, after, knot.time))));
  }
  return most;
}

/** How far the times of other CPUs differ: all CPUs of a guest have the same clock. */
function spread(shift: TimeShift, chosen: number, { first, last }: TimeSpan): number {
  const places = [first, (first + last) / 2n, last];
  const own = shiftedTimeOf(shift, chosen)!;
  let most = 0;
  for (const cpu of shift.cpus.keys()) {
    const other = shiftedTimeOf(shift, cpu);
    if (other === undefined) continue;
    for (const at of places) most = Math.max(most, Math.abs(Number(other.at(at) - own.at(at))));
  }
  return most;
}
