import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { isLong } from '../../../set.ts';
import { anySession } from '../../../simulator/session/any-session.ts';
import type { EventKind, Faults } from '../../../simulator/session/options.ts';
import { compared } from './against-simulator.ts';

const numRuns = isLong ? 500 : 30;

test('every nanosecond of every wait has its true cause', async () => {
  let exact = 0;
  await fc.assert(
    fc.asyncProperty(anySession(), async (options) => {
      const found = await compared(options);
      assert.deepEqual(found.wrong, []);
      exact += found.exact;
    }),
    { numRuns },
  );
  assert.ok(exact > numRuns, `${exact} waits of which everything must be known`);
});

/** Kinds of events that are not recorded. */
const without: fc.Arbitrary<Faults> = fc.record({
  hostWithout: fc.subarray<EventKind>(['irq', 'softirq', 'kvm'], { maxLength: 2 }),
  guestsWithout: fc.subarray<EventKind>(['irq', 'softirq', 'hrtimer'], { maxLength: 2 }),
});

test('without some kinds of events, what was below them has their time', async () => {
  await fc.assert(
    fc.asyncProperty(anySession(without), async (options) => {
      assert.deepEqual((await compared(options)).wrong, []);
    }),
    { numRuns },
  );
});

/** Everything is recorded, but for events that are lost, and switches out of idle on some CPUs. */
const losses: fc.Arbitrary<Faults> = fc.record({
  hostLoss: fc.constantFrom(0, 0.002, 0.01),
  guestLoss: fc.constantFrom(0, 0.002, 0.01),
  lossLength: fc.integer({ min: 1, max: 100 }),
  noSwitchFromIdle: fc.subarray([0, 1, 2, 3]),
});

test('hardly anything wrong is said where events were lost or switches not recorded', async () => {
  let [waits, ns, unknownNs, wrongNs] = [0, 0, 0, 0];
  await fc.assert(
    fc.asyncProperty(anySession(losses), async (options) => {
      const found = await compared(options);
      waits += found.waits;
      ns += found.ns;
      unknownNs += found.unknownNs;
      wrongNs += found.wrongNs;
    }),
    // a few sessions have nearly all of the wrong time, so a part of so few sessions as the short set has would vary
    { numRuns, ...(!isLong && { seed: 1 }) },
  );
  assert.ok(waits > numRuns, `${waits} waits`);
  assert.ok(unknownNs < ns / 2, `${unknownNs} of ${ns} ns unknown`);
  // a task that is waiting may be moved to and fro in events that were lost
  assert.ok(wrongNs < ns / 1000, `${wrongNs} of ${ns} ns wrong`);
});
