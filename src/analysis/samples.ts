/** Up to this number, all samples are kept. */
const exactMost = 256;
/** Each power of two is divided into this many buckets. */
const parts = 64;
const partBits = 6;

/** Largest relative error of a percentile when not all samples are kept: half the width of a bucket. */
export const percentileError = 1 / (2 * parts);

/**
 * Percentiles of durations in bounded memory: exact up to 256 samples, then from a histogram with 64 buckets for each
 * power of two, so that the error of a percentile is below 1 %. Count and maximum are always exact.
 */
export class Samples {
  count = 0;
  max = 0;
  #kept: Float64Array | undefined = new Float64Array(8);
  /** Buckets by power of two; created on first use, because most tasks need only a few. */
  #octaves: (Uint32Array | undefined)[] = [];

  /** Whether percentiles are exact. */
  get exact(): boolean {
    return this.#kept !== undefined;
  }

  /** @param value a whole number from 0 to 2^53 */
  add(value: number): void {
    if (value > this.max) this.max = value;
    const kept = this.#kept;
    if (kept === undefined) this.#count(value);
    else if (this.count < kept.length) kept[this.count] = value;
    else this.#keepMore(kept, value);
    this.count++;
  }

  /** The percentile by nearest rank; `part` is 0.99 for the 99th. Undefined without samples. */
  percentile(part: number): number | undefined {
    if (this.count === 0) return undefined;
    const rank = Math.max(1, Math.ceil(part * this.count));
    if (this.#kept !== undefined) return this.#kept.subarray(0, this.count).toSorted()[rank - 1];
    if (rank === this.count) return this.max;
    let seen = 0;
    for (const [octave, buckets] of this.#octaves.entries()) {
      if (buckets === undefined) continue;
      for (const [bucket, count] of buckets.entries()) {
        seen += count;
        if (seen >= rank) return Math.min(this.max, middleOf(octave, bucket));
      }
    }
    return this.max;
  }

  #keepMore(kept: Float64Array, value: number): void {
    if (kept.length < exactMost) {
      const wider = new Float64Array(kept.length * 4);
      wider.set(kept);
      wider[this.count] = value;
      this.#kept = wider.length > exactMost ? wider.slice(0, exactMost) : wider;
      return;
    }
    this.#kept = undefined;
    for (const one of kept) this.#count(one);
    this.#count(value);
  }

  #count(value: number): void {
    // values below `parts` have a bucket each, in octave 0
    const octave = value < parts ? 0 : log2Of(value) - partBits + 1;
    const bucket = value < parts ? value : Math.floor(value / 2 ** (octave - 1)) - parts;
    let buckets = this.#octaves[octave];
    if (buckets === undefined) {
      buckets = new Uint32Array(parts);
      while (this.#octaves.length <= octave) this.#octaves.push(undefined);
      this.#octaves[octave] = buckets;
    }
    buckets[bucket]! += 1;
  }
}

function middleOf(octave: number, bucket: number): number {
  if (octave === 0) return bucket;
  const width = 2 ** (octave - 1);
  return (parts + bucket) * width + Math.floor(width / 2);
}

/** The integer part of the binary logarithm, without rounding errors. */
function log2Of(value: number): number {
  return value < 2 ** 31 ? 31 - Math.clz32(value) : 31 + 31 - Math.clz32(Math.floor(value / 2 ** 31));
}

/** Upper bound of the first bucket of `LogHistogram`, in ns; doubling it gives round bounds from 500 ns on. */
const firstBoundNs = 125;
const bucketsMost = 32;

/** One bucket of a histogram; `toNs` is null for the last one, which has no upper bound. */
export interface HistogramBucket {
  readonly fromNs: number;
  readonly toNs: number | null;
  readonly count: number;
}

/** Counts durations in buckets that double in width: up to 125 ns, 250 ns, 500 ns, 1 us, 2 us, 4 us and so on. */
export class LogHistogram {
  readonly #counts = new Float64Array(bucketsMost);

  add(ns: number): void {
    const index = ns < firstBoundNs ? 0 : 32 - Math.clz32(Math.min(ns / firstBoundNs, 2 ** 31 - 1));
    this.#counts[index < bucketsMost ? index : bucketsMost - 1]! += 1;
  }

  /** The buckets from the first non-empty one to the last non-empty one. */
  buckets(): HistogramBucket[] {
    const first = this.#counts.findIndex((count) => count > 0);
    const last = this.#counts.findLastIndex((count) => count > 0);
    if (first < 0) return [];
    return [...this.#counts.subarray(first, last + 1)].map((count, at) => {
      const index = first + at;
      return {
        fromNs: index === 0 ? 0 : firstBoundNs * 2 ** (index - 1),
        toNs: index === bucketsMost - 1 ? null : firstBoundNs * 2 ** index,
        count,
      };
    });
  }
}
