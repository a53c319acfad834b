import type { Cause, Wait } from '../../../src/analysis/explain/result.ts';

/** A stretch of time, in ns of the host's clock. */
export interface Stretch {
  readonly from: bigint;
  readonly to: bigint;
}

/** How well waits name a culprit, in ns. */
export interface Judged {
  /** What it took, by its own log. */
  readonly took: number;
  /** What of that the waits say it took. */
  readonly named: number;
  /** What the waits say it took at other times. */
  readonly outside: number;
  /** How many waits name it. */
  readonly naming: number;
}

/**
 * Compares what waits say of a culprit with its log. A wait has sums of its causes: no more is named than was taken within
 * it, and what is named beyond the time of the bursts within it is outside.
 * @param taken when it had the CPU while the task waited, in the order of time, without overlaps
 * @param bursts all of its bursts, with what interrupted it, which may not be known to anybody, as the host may be a guest
 * itself; a task may also be kept from running when it is not late
 */
export function judged(
  waits: readonly Wait[],
  isCulprit: (cause: Cause) => boolean,
  taken: readonly Stretch[],
  bursts: readonly Stretch[],
): Judged {
  let [named, outside, count] = [0, 0, 0];
  const [from, to] = [bursts[0]?.from ?? 0n, bursts.at(-1)?.to ?? 0n];
  const within = (stretches: readonly Stretch[], wait: Stretch): number =>
    lengthOf(common(stretches, [wait]));
  for (const { dueNs, endNs, causes } of waits) {
    // what it did when it was started, and to print its log, is in no log
    if (endNs <= from || dueNs >= to) continue;
    const claimed = causes.reduce((sum, cause) => (isCulprit(cause) ? sum + cause.ns : sum), 0);
    if (claimed === 0) continue;
    const wait = { from: dueNs, to: endNs };
    named += Math.min(claimed, within(taken, wait));
    outside += Math.max(0, claimed - within(bursts, wait));
    count++;
  }
  return { took: lengthOf(taken), named, outside, naming: count };
}

/** What is in both: each in the order of time, without overlaps. */
export function common(some: readonly Stretch[], others: readonly Stretch[]): Stretch[] {
  const found: Stretch[] = [];
  let at = firstAfter(some, others[0]?.from ?? 0n);
  for (const { from, to } of others) {
    while (at < some.length && some[at]!.to <= from) at++;
    for (let index = at; index < some.length && some[index]!.from < to; index++) {
      const each = some[index]!;
      found.push({ from: each.from > from ? each.from : from, to: each.to < to ? each.to : to });
    }
  }
  return found;
}

function lengthOf(stretches: readonly Stretch[]): number {
  return stretches.reduce((sum, { from, to }) => sum + Number(to - from), 0);
}

function firstAfter(stretches: readonly Stretch[], time: bigint): number {
  let [low, high] = [0, stretches.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (stretches[middle]!.to <= time) low = middle + 1;
    else high = middle;
  }
  return low;
}
