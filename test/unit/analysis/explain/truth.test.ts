import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { anySession } from '../../../simulator/session/any-session.ts';
import { compared } from './against-simulator.ts';

test('every nanosecond has its true cause', async () => {
  let waits = 0;
  await fc.assert(
    fc.asyncProperty(anySession(), async (options) => {
      const { wrong, ...sums } = await compared(options);
      assert.deepEqual(wrong, []);
      assert.equal(sums.unknownNs, 0);
      waits += sums.waits;
    }),
    { numRuns: Number(process.env.RUNS ?? 30) },
  );
  console.log(waits, 'waits');
});
