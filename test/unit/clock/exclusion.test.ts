import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Alignment } from '../../../src/clock/align.ts';
import { groupPairs } from '../../../src/clock/exclusion/grouped.ts';
import { LeastExcluded } from '../../../src/clock/exclusion/least-excluded.ts';
import { OffStretches } from '../../../src/clock/exclusion/off-stretches.ts';
import { Exclusion } from '../../../src/clock/exclusion/pairs.ts';

const origins = { hostOrigin: 0n, guestOrigin: 0n };
const us = 1000;

/** Both clocks show the same, and pings say so to within 500 us. */
function alignment(seconds = 2): Alignment {
  const pings = Array.from({ length: seconds * 10 + 1 }, (_, i) => {
    const at = BigInt(i) * 100_000_000n;
    return { hostBefore: at - 500_000n, guest: at, hostAfter: at + 500_000n };
  });
  return Alignment.of({ pings })!;
}

/** Off for 400 us of each ms. */
function stretches(count: number): OffStretches {
  const off = new OffStretches();
  for (let i = 0; i < count; i++) off.add(i * 1000 * us, i * 1000 * us + 400 * us);
  return off;
}

const window = { x: 0, band: { low: -400 * us, high: 400 * us }, rates: { low: 0, high: 0 }, wander: 0 };

describe('exclusion', () => {
  it('keeps of the events of a stretch those that exclude most', () => {
    const exclusion = new Exclusion(alignment().map, [stretches(3)], origins);
    // around the second stretch, 10 us apart
    for (let time = 700 * us; time < 1700 * us; time += 10 * us) exclusion.add(0, time);
    const { starts, times } = groupPairs(exclusion);
    const kept = [...times.subarray(starts[1], starts[2])];
    assert.ok(kept.length < 10, `${kept.length}`);
    // it is where events may be by the pings, so nearly all between would be excluded
    for (const [i, time] of kept.entries()) assert.ok(i === 0 || time - kept[i - 1]! < 400 * us);
    assert.ok(kept.at(-1)! - kept[0]! > 900 * us);
  });

  it('finds the differences at which events are outside', () => {
    const exclusion = new Exclusion(alignment().map, [stretches(100)], origins);
    // the last event 30 us before, the first 50 us after each stretch
    for (let i = 1; i < 100; i++) {
      exclusion.add(0, i * 1000 * us - 30 * us);
      exclusion.add(0, i * 1000 * us + 450 * us);
    }
    const grouped = groupPairs(exclusion);
    const found = new LeastExcluded(exclusion, grouped).find(0, grouped.order.length, window);
    assert.deepEqual(found, { low: -50 * us, high: 30 * us, violations: 0, contradictory: false });
  });

  it('takes no notice of a few stretches that are none, but of many', () => {
    for (const [wrong, contradictory] of [
      [3, false],
      [60, true],
    ] as const) {
      const exclusion = new Exclusion(alignment().map, [stretches(100)], origins);
      for (let i = 1; i < 100; i++) {
        exclusion.add(0, i * 1000 * us - 30 * us);
        // at any difference that the rest allows
        if (i <= wrong) exclusion.add(0, i * 1000 * us + 200 * us);
        exclusion.add(0, i * 1000 * us + 450 * us);
      }
      const grouped = groupPairs(exclusion);
      const found = new LeastExcluded(exclusion, grouped).find(0, grouped.order.length, window);
      assert.equal(found?.contradictory, contradictory);
      assert.equal(found.violations, wrong);
      if (!contradictory) assert.deepEqual([found.low, found.high], [-50 * us, 30 * us]);
    }
  });

  it('does not rest on three stretches, which may be none', () => {
    const exclusion = new Exclusion(alignment().map, [stretches(20)], origins);
    for (let i = 1; i < 20; i++) {
      const isTight = i % 6 === 0;
      exclusion.add(0, i * 1000 * us - (isTight ? 5 : 30) * us);
      exclusion.add(0, i * 1000 * us + 400 * us + (isTight ? 5 : 50) * us);
    }
    const grouped = groupPairs(exclusion);
    const found = new LeastExcluded(exclusion, grouped).find(0, grouped.order.length, window);
    assert.deepEqual([found?.low, found?.high], [-50 * us, 30 * us]);
  });

  it('allows for a rate that is not known well, the more the farther an event is away', () => {
    const exclusion = new Exclusion(alignment().map, [stretches(100)], origins);
    for (let i = 1; i < 100; i++) {
      exclusion.add(0, i * 1000 * us - 30 * us);
      exclusion.add(0, i * 1000 * us + 450 * us);
    }
    const grouped = groupPairs(exclusion);
    const far = { ...window, x: -100_000 * us, rates: { low: -100e-6, high: 100e-6 } };
    const found = new LeastExcluded(exclusion, grouped).find(0, grouped.order.length, far);
    // 100 ppm of 100 ms and more
    assert.ok(found!.low < -60 * us && found!.low > -71 * us, `${found!.low}`);
    assert.ok(found!.high > 40 * us && found!.high < 51 * us, `${found!.high}`);
  });

  it('says nothing where no event is near a stretch', () => {
    const exclusion = new Exclusion(alignment().map, [stretches(100)], origins);
    for (let i = 1; i < 100; i++) exclusion.add(0, i * 1000 * us + 20_000 * us * 100);
    assert.equal(exclusion.pairs, 0);
    const { map } = alignment();
    assert.deepEqual(alignment().refined(exclusion).segments, map.segments);
  });

  it('keeps within its memory, and what it still says is true', () => {
    const exclusion = new Exclusion(alignment(4).map, [stretches(4000), stretches(4000)], origins, 1000);
    for (let i = 1; i < 4000; i++)
      for (const vcpu of [0, 1]) {
        exclusion.add(vcpu, i * 1000 * us - 30 * us);
        exclusion.add(vcpu, i * 1000 * us + 450 * us);
      }
    assert.ok(exclusion.pairs > 400 && exclusion.pairs <= 1000, `${exclusion.pairs}`);
    assert.ok(exclusion.time.length <= 4096);
    const grouped = groupPairs(exclusion);
    for (let i = 1; i < grouped.order.length; i++)
      assert.ok(grouped.first[grouped.order[i]!]! >= grouped.first[grouped.order[i - 1]!]!);
    const found = new LeastExcluded(exclusion, grouped).find(0, grouped.order.length, window);
    assert.equal(found?.violations, 0);
    assert.ok(found.low <= 0 && found.high >= 0 && found.high - found.low < 100 * us);
  });

  it('takes any times, in any order, in bounded time', () => {
    const exclusion = new Exclusion(alignment().map, [stretches(2000)], origins, 5000);
    for (let i = 0; i < 200_000; i++) {
      exclusion.add(0, i % 2 === 0 ? (i * 7919) % 2e9 : 2e9 - ((i * 104_729) % 2e9));
      exclusion.add(3, i);
      exclusion.add(0, i * 2 ** 40);
      exclusion.add(0, -i * 2 ** 40);
    }
    assert.ok(exclusion.pairs <= 5000);
    alignment().refined(exclusion);

    const single = new Exclusion(alignment().map, [stretches(1)], origins, 100);
    for (let i = 0; i < 1000; i++) single.add(0, i % 2 === 0 ? 500 * us - i : 100 * us + i);
    assert.equal(single.pairs, 100);
    alignment().refined(single);
  });
});
