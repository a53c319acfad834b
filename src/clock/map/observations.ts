/**
 * A reading of the guest's clock between two readings of the host's. All times of this room are nanoseconds; those of
 * host and guest are each by one clock throughout, such as `boot`.
 */
export interface PingSample {
  readonly hostBefore: bigint;
  readonly guest: bigint;
  readonly hostAfter: bigint;
}

/** A pair of events of which one surely came before the other, such as a hypercall and its exit on the host. */
export interface OrderedPair {
  readonly guest: bigint;
  readonly host: bigint;
  /** Which of the two came first. */
  readonly first: 'guest' | 'host';
}

/** A time on the host within which the guest was paused, and its clocks with it. It surely ran until `hostFrom`. */
export interface Break {
  readonly hostFrom: bigint;
  readonly hostTo: bigint;
}

/** How much may be presumed of the clocks. */
export interface ClockLimits {
  /** Largest difference between the clocks' rates. Default: 2000 ppm, twice what NTP may do on both sides. */
  readonly mostRatePpm?: number;
  /** How far the rate may be from constant in the time of some samples. Default: 1 ppm. */
  readonly wanderPpm?: number;
}

export interface Limits {
  /** ns per ns. */
  readonly mostRate: number;
  readonly wander: number;
}

export function limitsOf({ mostRatePpm = 2000, wanderPpm = 1 }: ClockLimits): Limits {
  return { mostRate: mostRatePpm / 1e6, wander: wanderPpm / 1e6 };
}

export type Method = 'ping' | 'exclusion' | 'order';

/**
 * What is known of host − guest at one guest time: it is in `low` … `high`. One of them is infinite if only the order
 * of two events is known.
 */
export interface Sample {
  readonly guest: bigint;
  readonly low: bigint | undefined;
  readonly high: bigint | undefined;
  /** Until when before and after `guest` the clock must run evenly for this to be true; 0 for a moment. */
  readonly reachNs: number;
  readonly method: Method;
  /** Observations that contradict what the sample says. */
  readonly violations?: number;
}

export function pingSample({ hostBefore, guest, hostAfter }: PingSample): Sample {
  return { guest, low: hostBefore - guest, high: hostAfter - guest, reachNs: 0, method: 'ping' };
}

export function orderSample({ guest, host, first }: OrderedPair): Sample {
  const difference = host - guest;
  return first === 'guest'
    ? { guest, low: undefined, high: difference, reachNs: 0, method: 'order' }
    : { guest, low: difference, high: undefined, reachNs: 0, method: 'order' };
}

/** A sample as numbers, after the origin of a `Frame`. */
export interface Point {
  readonly x: number;
  readonly low: number;
  readonly high: number;
  /** The time that it is about. */
  readonly from: number;
  readonly to: number;
}

/** What numbers count from, so that they are small enough to be exact. */
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
