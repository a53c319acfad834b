/**
 * A reading of the guest's clock between two readings of the host's. All times in `src/clock` are nanoseconds; host and
 * guest each use one clock throughout, such as `boot`.
 */
export interface PingSample {
  readonly hostBefore: bigint;
  readonly guest: bigint;
  readonly hostAfter: bigint;
  /** Where it comes from, if nobody read the guest's clock. */
  readonly method?: Method;
}

/** A pair of events of which one surely came before the other, such as a hypercall and its exit on the host. */
export interface OrderedPair {
  readonly guest: bigint;
  readonly host: bigint;
  /** Which of the two came first. */
  readonly first: 'guest' | 'host';
}

/**
 * A period of host time within which the guest and its clocks were paused. The guest surely ran until `hostFrom`, and
 * from `hostTo` on.
 */
export interface Break {
  readonly hostFrom: bigint;
  readonly hostTo: bigint;
  /** Within it: from here to there the guest surely did not run. Undefined if that is unknown. */
  readonly pausedFrom?: bigint | undefined;
  readonly pausedTo?: bigint | undefined;
}

/** Until when an observation surely was made before a break. */
export function endBefore({ hostFrom, pausedTo }: Break): bigint {
  return pausedTo ?? hostFrom;
}

/** Since when an observation surely was made after a break. */
export function beginAfter({ hostTo, pausedFrom }: Break): bigint {
  return pausedFrom ?? hostTo;
}

/** What is assumed about the clocks. */
export interface ClockLimits {
  /** Largest difference between the clocks' rates. Default: 2000 ppm, twice what NTP can do on both sides together. */
  readonly mostRatePpm?: number;
  /** How much the rate may vary over some neighbouring samples. Default: 1 ppm. */
  readonly wanderPpm?: number;
}

export interface Limits {
  /** The same limits in ns per ns. */
  readonly mostRate: number;
  readonly wander: number;
}

export function limitsOf({ mostRatePpm = 2000, wanderPpm = 1 }: ClockLimits): Limits {
  return { mostRate: mostRatePpm / 1e6, wander: wanderPpm / 1e6 };
}

/** `time-shift`: what an earlier alignment gives, with a bound. */
export type Method = 'ping' | 'exclusion' | 'order' | 'time-shift';

/**
 * What is known of host − guest at one guest time: it lies between `low` and `high`. One of them is undefined, i.e.
 * infinite, if only the order of two events is known.
 */
export interface Sample {
  readonly guest: bigint;
  readonly low: bigint | undefined;
  readonly high: bigint | undefined;
  /** How long before and after `guest` the clock must run evenly for the sample to be true; 0 for a single moment. */
  readonly reachNs: number;
  readonly method: Method;
  /** Number of observations that contradict the sample. */
  readonly violations?: number;
}

export function pingSample({ hostBefore, guest, hostAfter, method = 'ping' }: PingSample): Sample {
  return { guest, low: hostBefore - guest, high: hostAfter - guest, reachNs: 0, method };
}

export function orderSample({ guest, host, first }: OrderedPair): Sample {
  const difference = host - guest;
  return first === 'guest'
    ? { guest, low: undefined, high: difference, reachNs: 0, method: 'order' }
    : { guest, low: difference, high: undefined, reachNs: 0, method: 'order' };
}

/** A sample as numbers, relative to the origin of a `Frame`. */
export interface Point {
  readonly x: number;
  readonly low: number;
  readonly high: number;
  /** Begin and end of the time that the sample is about. */
  readonly from: number;
  readonly to: number;
}

/** The origin of numbers, so that they are small enough to be exact. */
export class Frame {
  readonly guest: bigint;
  /** host − guest. */
  readonly difference: bigint;

  constructor(guest: bigint, difference: bigint) {
    this.guest = guest;
    this.difference = difference;
  }

  static of(sample: Sample): Frame {
    return new Frame(sample.guest, sample.low ?? sample.high ?? 0n);
  }

  point({ guest, low, high, reachNs }: Sample): Point {
    const x = this.x(guest);
    return {
      x,
      from: x - reachNs,
      to: x + reachNs,
      low: low === undefined ? -Infinity : Number(low - this.difference),
      high: high === undefined ? Infinity : Number(high - this.difference),
    };
  }

  x(guest: bigint): number {
    return Number(guest - this.guest);
  }

  /** The guest's time at `x`. */
  guestAt(x: number): bigint {
    return this.guest + BigInt(Math.round(x));
  }

  /** The host's time when the guest's is `x` and host − guest is `difference`. */
  hostAt(x: number, difference: number): bigint {
    return this.guestAt(x) + this.difference + BigInt(Math.round(difference));
  }
}
