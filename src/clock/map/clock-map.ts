import type { ClockPiece } from '../../trace/dat/clock-quality.ts';
import type { Course, End, Segment } from './segments.ts';

/** A computed time of the host, and how far it may be from the true one. */
export interface HostTime {
  readonly ns: bigint;
  readonly boundNs: number;
}

/** A point of the relation, and how far the true host time may be from it. */
export interface ClockPair {
  readonly guest: bigint;
  readonly host: bigint;
  readonly boundNs: number;
  readonly leastBoundNs: number;
}

/** Fraction bits of a rate in fixed point. */
const rateBits = 60n;
const rateUnit = 2 ** 60;

/**
 * host = rate × guest + offset, in pieces, each with a bound. Times before and after all observations are extrapolated.
 */
export class ClockMap {
  /** In the order of the guest's clock, which jumped between two pieces. */
  readonly pieces: readonly ClockPiece[];
  readonly segments: readonly Segment[];
  readonly head: End;
  readonly tail: End;

  /** @internal */
  constructor(pieces: readonly ClockPiece[], { segments, head, tail }: Course) {
    this.pieces = pieces;
    this.segments = segments;
    this.head = head;
    this.tail = tail;
  }

  toHost(guest: bigint): bigint {
    return this.at(guest).ns;
  }

  boundAt(guest: bigint): number {
    return this.at(guest).boundNs;
  }

  at(guest: bigint): HostTime {
    if (guest < this.head.guest) return beyond(this.head, guest);
    if (guest > this.tail.guest) return beyond(this.tail, guest);
    const segment = this.segments[this.indexAt(guest)];
    return segment === undefined ? { ns: this.head.host, boundNs: this.head.bound } : within(segment, guest);
  }

  /** Index of the last segment that begins at or before a time; 0 if none does. */
  indexAt(guest: bigint): number {
    let low = 0;
    let high = this.segments.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (this.segments[middle]!.guestFrom <= guest) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /**
   * Pairs of times for formats that interpolate between samples: at least two, with ascending guest times. Where two
   * lines meet, `boundNs` is the larger of their bounds, and `leastBoundNs` the smaller one.
   */
  samples(): ClockPair[] {
    const { guest, host, bound } = this.tail;
    const found: { -readonly [field in keyof ClockPair]: ClockPair[field] }[] = [];
    const add = (time: bigint, hostTime: bigint, boundNs: number): void => {
      found.push({ guest: time, host: hostTime, boundNs, leastBoundNs: boundNs });
    };
    for (const { guestFrom, hostFrom, boundFrom, guestTo, hostTo, boundTo } of this.segments) {
      const last = found.at(-1);
      // where one line ends and another begins, the latter begins 1 ns later
      if (last === undefined || guestFrom > last.guest) add(guestFrom, hostFrom, boundFrom);
      else if (hostFrom !== last.host && guestFrom + 1n < guestTo)
        add(guestFrom + 1n, hostFrom + 1n, boundFrom);
      else {
        last.boundNs = Math.max(last.boundNs, boundFrom);
        last.leastBoundNs = Math.min(last.leastBoundNs, boundFrom);
      }
      if (guestTo > found.at(-1)!.guest) add(guestTo, hostTo, boundTo);
    }
    if (found.length === 0) add(guest, host, bound);
    if (found.length === 1) {
      const second = found[0]!.guest + 1_000_000_000n;
      const { ns, boundNs } = this.at(second);
      add(second, ns, boundNs);
    }
    return found;
  }
}

export function within(segment: Segment, guest: bigint): HostTime {
  const { guestFrom, guestTo, hostFrom, hostTo, boundFrom, boundTo } = segment;
  const length = guestTo - guestFrom;
  if (length === 0n) return { ns: hostFrom, boundNs: Math.max(boundFrom, boundTo) };
  const after = guest - guestFrom;
  const share = Number(after) / Number(length);
  return {
    ns: hostFrom + (after * (hostTo - hostFrom)) / length,
    boundNs: Math.ceil(boundFrom + (boundTo - boundFrom) * share) + 1,
  };
}

export function beyond({ guest: at, host, bound, rate, growth }: End, guest: bigint): HostTime {
  const after = guest - at;
  const drift = (after * BigInt(Math.round(rate * rateUnit))) >> rateBits;
  return { ns: host + after + drift, boundNs: Math.ceil(bound + Math.abs(Number(after)) * growth) + 1 };
}
