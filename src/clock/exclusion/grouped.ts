import type { Range } from '../map/line-range.ts';
import type { Exclusion } from './pairs.ts';

/** The pairs of each stretch, and a list of the stretches that have pairs, in time order. */
export interface Grouped {
  /** Numbers of stretches. */
  readonly order: Int32Array;
  /** Time of each stretch's first event. */
  readonly first: Float64Array;
  /** The events of stretch n are those of `times` from index `starts[n]` to before `starts[n + 1]`. */
  readonly starts: Int32Array;
  readonly times: Float64Array;
}

export function groupPairs({ stretches, pairs, stretch, time, vcpus, numberOf }: Exclusion): Grouped {
  const starts = new Int32Array(stretches + 1);
  for (let i = 0; i < pairs; i++) starts[stretch[i]! + 1]! += 1;
  for (let number = 0; number < stretches; number++) starts[number + 1]! += starts[number]!;
  const next = starts.slice();
  const times = new Float64Array(pairs);
  for (let i = 0; i < pairs; i++) {
    const number = stretch[i]!;
    times[next[number]!] = time[i]!;
    next[number]! += 1;
  }
  const first = new Float64Array(stretches);
  let used = 0;
  for (let number = 0; number < stretches; number++) {
    if (starts[number] === starts[number + 1]) continue;
    first[number] = times[starts[number]!]!;
    used++;
  }
  const counts = vcpus.map(({ length }, vcpu) => [numberOf[vcpu]!, length] as const);
  return { order: merged(used, starts, first, counts), first, starts, times };
}

/** Merges the stretches of all vCPUs. Those of each vCPU are in order. */
function merged(
  used: number,
  starts: Int32Array,
  first: Float64Array,
  vcpus: readonly (readonly [from: number, count: number])[],
): Int32Array {
  const order = new Int32Array(used);
  const at = vcpus.map(([from]) => from);
  const skip = (vcpu: number): void => {
    const end = vcpus[vcpu]![0] + vcpus[vcpu]![1];
    while (at[vcpu]! < end && starts[at[vcpu]!] === starts[at[vcpu]! + 1]) at[vcpu]!++;
    if (at[vcpu] === end) at[vcpu] = -1;
  };
  for (const vcpu of vcpus.keys()) skip(vcpu);
  for (let i = 0; i < used; i++) {
    let earliest = -1;
    for (let vcpu = 0; vcpu < at.length; vcpu++) {
      if (at[vcpu]! < 0) continue;
      if (earliest < 0 || first[at[vcpu]!]! < first[at[earliest]!]!) earliest = vcpu;
    }
    order[i] = at[earliest]!;
    at[earliest]!++;
    skip(earliest);
  }
  return order;
}

/** The times of the first and the last event of some stretches. */
export function extentOf({ order, starts, times }: Grouped, from: number, to: number): Range {
  let low = Infinity;
  let high = -Infinity;
  for (let i = from; i < to; i++) {
    low = Math.min(low, times[starts[order[i]!]!]!);
    high = Math.max(high, times[starts[order[i]! + 1]! - 1]!);
  }
  return { low, high };
}
