import type { ClockPiece } from '../trace/dat/clock-quality.ts';
import type { ClockPing, ClockSample } from '../trace/recording/clock-files.ts';
import type { RecordedTsc } from '../trace/recording/recording-format.ts';
import { hostTsc, tscBound, type TscRelation } from './tsc.ts';

/** Clock name of the kernel; its times are cycles. */
export const tscClock = 'x86-tsc';

/**
 * Longest time between two samples of a scaled TSC, in cycles: readers interpolate with 64 bits, and the product of a
 * time and a difference must fit.
 */
const longestStep = 1n << 31n;
const mostSamples = 100_000n;

/**
 * How to convert the TSC of a guest to that of its host, exactly, as KVM computes it. All values are cycles. Pings
 * check it: each reading of the guest's TSC must lie between two of the host's.
 *
 * @param span first and last time of the guest's events
 * @returns undefined if a ping contradicts, or a scaled trace is too long (a day or so)
 */
export function alignTsc(
  recorded: RecordedTsc,
  { first, last }: { readonly first: bigint; readonly last: bigint },
  pings: readonly ClockPing[],
): { readonly pieces: readonly ClockPiece[]; readonly samples: readonly ClockSample[] } | undefined {
  const relation = relationOf(recorded);
  const bound = tscBound(relation);
  const isRight = ({ hostBefore, guest, hostAfter }: ClockPing): boolean => {
    const host = hostTsc(guest, relation);
    return host + BigInt(bound) >= hostBefore && host <= hostAfter;
  };
  if (!pings.every(isRight)) return undefined;
  const isScaled =
    relation.ratio !== undefined && relation.ratio !== 1n << BigInt(relation.fractionBits ?? 0);
  const length = last > first ? last - first : 1n;
  const steps = isScaled ? (length + longestStep - 1n) / longestStep : 1n;
  if (steps >= mostSamples) return undefined;
  const samples: ClockSample[] = [];
  for (let step = 0n; step <= steps; step++) {
    const guest = first + (length * step) / steps;
    samples.push({ guest, host: hostTsc(guest, relation) });
  }
  const [head, tail] = [samples[0]!, samples.at(-1)!];
  const drift = tail.host - head.host - length;
  // readers round between two samples
  const boundNs = isScaled ? bound + 2 : 0;
  const piece = {
    guestFrom: first,
    guestTo: first + length,
    offsetNs: head.host - head.guest,
    ratePpm: (Number(drift) / Number(length)) * 1e6,
    boundNs,
    medianBoundNs: boundNs,
    methods: ['tsc'],
    samples: pings.length,
    violations: 0,
  };
  return { pieces: [piece], samples };
}

function relationOf({ offset, ratio, fractionBits }: RecordedTsc): TscRelation {
  return {
    offset: BigInt(offset),
    ...(ratio !== null && { ratio: BigInt(ratio) }),
    ...(fractionBits !== null && { fractionBits }),
  };
}
