/** How KVM computes a guest's TSC from the host's: guest = (host × ratio >> fractionBits) + offset, in 64 bits. */
export interface TscRelation {
  /** The vCPU's `tsc-offset` in debugfs. */
  readonly offset: bigint;
  /** The vCPU's `tsc-scaling-ratio`; undefined if the TSC is not scaled. */
  readonly ratio?: bigint;
  /** The vCPU's `tsc-scaling-ratio-frac-bits`. */
  readonly fractionBits?: number;
}

/** The host's TSC when a guest's was `guest`. Off by at most `tscBound` cycles. */
export function hostTsc(guest: bigint, { offset, ratio, fractionBits = 0 }: TscRelation): bigint {
  const scaled = BigInt.asUintN(64, guest - offset);
  if (ratio === undefined) return scaled;
  // the first of the cycles that give this value
  return ((scaled << BigInt(fractionBits)) + ratio - 1n) / ratio;
}

/** Maximum number of cycles by which the host's TSC can be ahead of what `hostTsc` returns. */
export function tscBound({ ratio, fractionBits = 0 }: TscRelation): number {
  if (ratio === undefined) return 0;
  return Number(((1n << BigInt(fractionBits)) - 1n) / ratio);
}

/** How a machine's kernel converts its TSC to nanoseconds, as in option TSC2NSEC of a trace.dat. */
export interface TscScale {
  readonly mult: number;
  readonly shift: number;
  readonly offset: bigint;
}

/** Converts a TSC value to nanoseconds. */
export function tscToNs(tsc: bigint, { mult, shift, offset }: TscScale): bigint {
  return ((tsc * BigInt(mult)) >> BigInt(shift)) + offset;
}
