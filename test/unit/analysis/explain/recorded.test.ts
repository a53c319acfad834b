import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stillTimes } from '../../../../src/analysis/explain/recorded.ts';

const sample = (time: bigint, offset: bigint) => ({ time, offset, scale: 1n, fractionBits: 0n });

test('a guest was paused where its clock stood still', () => {
  const samples = [
    sample(1_000_000_000n, 500n),
    // 40 ppm
    sample(2_000_000_000n, 40_500n),
    sample(2_000_000_001n, 200_040_500n),
    // a correction of the relation between the clocks
    sample(2_000_000_002n, 201_040_500n),
    sample(3_000_000_000n, 201_040_000n),
    // its clock was set back by a little in the same time
    sample(3_500_000_000n, 301_040_000n),
  ];
  assert.deepEqual(stillTimes({ cpus: [[], samples] }), [{ from: 2_000_040_500n, to: 2_200_040_501n }]);
  assert.deepEqual(stillTimes({ cpus: [[sample(5n, 1n << 60n)]] }), []);
  assert.deepEqual(stillTimes(undefined), []);
});
