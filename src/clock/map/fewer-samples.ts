/** A point of the relation between two clocks, in nanoseconds. */
interface ClockPoint {
  readonly guest: bigint;
  readonly host: bigint;
  /** The least bound of the lines that meet there. */
  readonly leastBoundNs: number;
}

/** How far a sample that is left out may be from the line between kept ones, as a part of the bound. */
const tolerance = 1 / 64;
const leastToleranceNs = 1;

/**
 * Leaves out samples that a line between the kept ones gives as precisely as the bound requires: a clock that runs
 * evenly needs few. Keeps the first and the last.
 */
export function fewerSamples<Point extends ClockPoint>(samples: readonly Point[]): Point[] {
  const kept = new Set<number>([0, samples.length - 1]);
  const open: (readonly [low: number, high: number])[] = [[0, samples.length - 1]];
  for (let range = open.pop(); range !== undefined; range = open.pop()) {
    const [low, high] = range;
    const worst = farthest(samples, low, high);
    if (worst === undefined) continue;
    kept.add(worst);
    open.push([low, worst], [worst, high]);
  }
  return samples.filter((_, index) => kept.has(index));
}

/** The sample between two that is farthest from their line, if that is too far. */
function farthest(samples: readonly ClockPoint[], low: number, high: number): number | undefined {
  const [from, to] = [samples[low], samples[high]];
  if (from === undefined || to === undefined) return undefined;
  const length = Number(to.guest - from.guest);
  const rise = Number(to.host - from.host) - length;
  let worst: number | undefined;
  let most = 1;
  for (let index = low + 1; index < high; index++) {
    const { guest, host, leastBoundNs } = samples[index]!;
    const after = Number(guest - from.guest);
    const onLine = length === 0 ? 0 : (rise * after) / length;
    const distance = Math.abs(Number(host - from.host) - after - onLine);
    const share = distance / Math.max(leastToleranceNs, leastBoundNs * tolerance);
    if (share > most) [worst, most] = [index, share];
  }
  return worst;
}
