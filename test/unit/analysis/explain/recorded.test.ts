import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import { boundBetween, stillTimes } from '../../../../src/analysis/explain/recorded.ts';
import type { ClockPiece } from '../../../../src/trace/dat/clock-quality.ts';

const quality = { medianBoundNs: 1, methods: ['ping'], samples: 9, violations: 0 };
/** By the host: 1000 to 2000; 10 000 to 13 000, as that clock is slower by half; 20 000 to 21 000. */
const pieces: ClockPiece[] = [
  { guestFrom: 0n, guestTo: 1000n, offsetNs: 1000n, ratePpm: 0, boundNs: 10, ...quality },
  { guestFrom: 1000n, guestTo: 3000n, offsetNs: 9000n, ratePpm: 500_000, boundNs: 200, ...quality },
  { guestFrom: 4000n, guestTo: 5000n, offsetNs: 16_000n, ratePpm: 0, boundNs: 30, ...quality },
];

describe('the bound of a clock at the time of a wait', () => {
  const cases: [what: string, from: bigint, to: bigint, bound: number][] = [
    ['before the first observation', 0n, 500n, 10],
    ['within a stretch', 1100n, 2000n, 10],
    ['within another', 10_000n, 12_000n, 200],
    ['as long as that goes on by the clock of the host', 12_500n, 12_900n, 200],
    ['after the last observation', 20_000n, 99_000n, 30],
    ['between two stretches', 5000n, 6000n, 200],
    ['from a stretch into the time after it', 1500n, 2100n, 200],
    ['between two others', 15_000n, 16_000n, 200],
    ['in all', 0n, 99_000n, 200],
  ];
  for (const [what, from, to, bound] of cases)
    it(what, () => assert.equal(boundBetween(pieces, from, to), bound));

  it('is unknown without a stretch', () => assert.equal(boundBetween([], 1n, 2n), undefined));

  it('is that of the only stretch', () => assert.equal(boundBetween(pieces.slice(2), 1n, 2n), 30));
});

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
