import { clockNs } from '../../native/clock.ts';
import { x86Tsc } from '../../native/tsc.ts';

/** Clocks that every agent reports. */
export type PingClock = 'boottime' | 'monotonicRaw' | 'realtime';

/** Nanoseconds of each clock at one moment. */
export interface Clocks extends Readonly<Record<PingClock, bigint>> {
  /** Undefined from older agents. */
  readonly monotonic?: bigint;
  /** Cycles of the TSC; undefined where the TSC cannot be read. */
  readonly x86Tsc?: bigint;
}

/** One ping: the guest's clocks, and the host's clocks before and after them. */
export interface PingRound {
  readonly sent: Clocks;
  readonly guest: Clocks;
  readonly received: Clocks;
}

/** This host's clocks, now. */
export function hostClocks(): Clocks {
  const tsc = x86Tsc();
  return {
    boottime: clockNs('boottime'),
    monotonicRaw: clockNs('monotonicRaw'),
    realtime: clockNs('realtime'),
    monotonic: clockNs('monotonic'),
    ...(tsc !== undefined && { x86Tsc: tsc }),
  };
}

/** The round-trip time, measured with a clock that is never adjusted. */
export function roundTripNs({ sent, received }: PingRound): bigint {
  return received.monotonicRaw - sent.monotonicRaw;
}

/** The host's clock minus the guest's; the error is at most half the round-trip time. */
export function offsetNs(round: PingRound, clock: PingClock): bigint {
  return (round.sent[clock] + round.received[clock]) / 2n - round.guest[clock];
}

/** The round with the shortest round-trip time, and so the smallest error. */
export function fastest(rounds: readonly [PingRound, ...PingRound[]]): PingRound {
  return rounds.reduce((best, round) => (roundTripNs(round) < roundTripNs(best) ? round : best));
}
