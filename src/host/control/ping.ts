import { type ClockName, clockNs } from '../../native/clock.ts';

/** Nanoseconds of each clock at one moment. */
export type Clocks = Readonly<Record<ClockName, bigint>>;

/** One ping: the guest's clocks, and the host's clocks before and after. */
export interface PingRound {
  readonly sent: Clocks;
  readonly guest: Clocks;
  readonly received: Clocks;
}

/** This host's clocks, now. */
export function hostClocks(): Clocks {
  return {
    boottime: clockNs('boottime'),
    monotonicRaw: clockNs('monotonicRaw'),
    realtime: clockNs('realtime'),
  };
}

/** The round-trip time, by a clock that is never adjusted. */
export function roundTripNs({ sent, received }: PingRound): bigint {
  return received.monotonicRaw - sent.monotonicRaw;
}

/** The host's clock minus the guest's; the error is at most half the round-trip time. */
export function offsetNs(round: PingRound, clock: ClockName): bigint {
  return (round.sent[clock] + round.received[clock]) / 2n - round.guest[clock];
}

/** The round with the shortest round-trip time, and so the smallest error. */
export function fastest(rounds: readonly [PingRound, ...PingRound[]]): PingRound {
  return rounds.reduce((best, round) => (roundTripNs(round) < roundTripNs(best) ? round : best));
}
