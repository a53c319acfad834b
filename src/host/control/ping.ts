import { type ClockName, clockNs } from '../../native/clock.ts';

/** Nanoseconds of each clock at one moment. */
export type Clocks = Readonly<Record<ClockName, bigint>>;

/** The guest read its clocks between the host's two readings. */
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

/** How long a round took, by a clock that is never adjusted. */
export function roundTripNs({ sent, received }: PingRound): bigint {
  return received.monotonicRaw - sent.monotonicRaw;
}

/** What to add to the guest's clock to get the host's; the error is at most half the round trip. */
export function offsetNs(round: PingRound, clock: ClockName): bigint {
  return (round.sent[clock] + round.received[clock]) / 2n - round.guest[clock];
}

/** The round with the smallest error of the offset. */
export function fastest(rounds: readonly [PingRound, ...PingRound[]]): PingRound {
  return rounds.reduce((best, round) => (roundTripNs(round) < roundTripNs(best) ? round : best));
}
