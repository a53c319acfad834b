import type { ShiftSample, TimeShift } from '../trace/dat/time-shift.ts';
import { shiftedTimeOf } from '../trace/events/shifted-time.ts';
import type { TimeSpan } from '../trace/open.ts';
import type { PingSample } from './map/observations.ts';

/** How far a TIME_SHIFT that does not state its error may be wrong: at least, and at most. */
const leastErrorNs = 1_000_000;
const mostErrorNs = 4_000_000;
/** The error is taken to be so many times the scatter of the samples. */
const scatterFactor = 2;
/** Time between two places where the shift is used, if there are not more of them than `mostPlaces`. */
const usualStep = 250_000_000n;
const mostPlaces = 4096n;
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
  /** How far it may be wrong: one after the other is tried, until nothing contradicts. */
  readonly errorsNs: readonly number[];

  private constructor(knots: readonly Knot[], span: TimeSpan, errorsNs: readonly number[]) {
    this.#knots = knots;
    this.#span = span;
    this.errorsNs = errorsNs;
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
    const least = Math.max(leastErrorNs, scatterFactor * scatterOf(knots)) + spread(shift, cpu, span);
    const isUsable = stated !== undefined && stated > 0 && stated < least;
    const errors = isUsable ? [Math.ceil(stated)] : [];
    for (let error = least; error <= mostErrorNs; error *= 2) errors.push(error);
    return new EarlierShift(knots, span, errors);
  }

  /**
   * What the shift says at places all over the trace, if it is wrong by at most `errorNs`. Leaves out the times between
   * two samples between which the clock jumped.
   */
  pings(errorNs: number): PingSample[] {
    const { first, last } = this.#span;
    const error = BigInt(Math.ceil(errorNs));
    const length = last - first;
    const step = length / mostPlaces > usualStep ? length / mostPlaces : usualStep;
    const pings: PingSample[] = [];
    for (let guest = first; ; guest += step) {
      if (guest > last) guest = last;
      const offset = this.#offsetAt(guest);
      if (offset !== undefined) {
        const host = guest + offset;
        pings.push({ hostBefore: host - error, guest, hostAfter: host + error, method: 'time-shift' });
      }
      if (guest === last) return pings;
    }
  }

  /** Whether a relation of the clocks is within `errorNs` of the shift. */
  isNear(samples: readonly { readonly guest: bigint; readonly host: bigint }[], errorNs: number): boolean {
    return samples.every(({ guest, host }) => {
      const offset = this.#offsetAt(guest);
      return offset === undefined || Math.abs(Number(host - guest - offset)) <= errorNs;
    });
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
