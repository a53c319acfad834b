import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { LogHistogram, percentileError, Samples } from '../../../src/analysis/samples.ts';

function nearestRank(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(1, Math.ceil(part * sorted.length)) - 1]!;
}

const durations = fc.oneof(
  fc.nat(300),
  fc.nat(5_000_000),
  fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
  fc.integer({ min: 0, max: 53 }).map((power) => Math.min(2 ** power, Number.MAX_SAFE_INTEGER)),
);

describe('Samples', () => {
  it('gives exact percentiles of up to 256 values, and of any number with an error below 1 %', () => {
    fc.assert(
      fc.property(fc.array(durations, { minLength: 1, maxLength: 900 }), (values) => {
        const samples = new Samples();
        for (const value of values) samples.add(value);
        assert.equal(samples.count, values.length);
        assert.equal(samples.max, Math.max(...values));
        assert.equal(samples.exact, values.length <= 256);
        for (const part of [0, 0.01, 0.5, 0.99, 1]) {
          const expected = nearestRank(values, part);
          const found = samples.percentile(part)!;
          const most = samples.exact ? 0 : expected * percentileError;
          assert.ok(Math.abs(found - expected) <= most, `${part}: ${found} for ${expected}`);
        }
      }),
    );
    assert.ok(percentileError < 0.01);
  });

  it('has no percentile of nothing', () => {
    assert.equal(new Samples().percentile(0.5), undefined);
  });
});

describe('LogHistogram', () => {
  it('counts each value in the bucket that it belongs to', () => {
    fc.assert(
      fc.property(fc.array(durations, { minLength: 1 }), (values) => {
        const histogram = new LogHistogram();
        for (const value of values) histogram.add(value);
        const buckets = histogram.buckets();
        for (const { fromNs, toNs, count } of buckets) {
          const inside = values.filter((value) => value >= fromNs && (toNs === null || value < toNs));
          assert.equal(count, inside.length, `${fromNs} to ${toNs}`);
        }
        assert.equal(
          buckets.reduce((sum, { count }) => sum + count, 0),
          values.length,
        );
        assert.ok(buckets[0]!.count > 0 && buckets.at(-1)!.count > 0);
      }),
    );
    assert.deepEqual(new LogHistogram().buckets(), []);
  });
});
