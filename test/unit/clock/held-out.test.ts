import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { openTrace } from '../../../src/trace/open.ts';
import { mapsOf } from '../../guest/clocks/held-out.ts';
import { simulate } from '../../simulator/machine.ts';
import { busyMachine, hostLeadNs, recordings } from '../../simulator/recordings.ts';

describe('the events of seconds that a map was not made of', () => {
  it('contradict a map that is wrong by some tens of microseconds, and not the true one', async (test) => {
    const machine = simulate({ ...busyMachine, durationNs: 3e9 });
    const { clock, tids } = machine;
    const made = await recordings(test, machine);
    const host = await openTrace(made.host);
    const guest = await openTrace(made.guest, { hostTimes: false });
    const heldOutWith = async (wrongNs: number) => {
      const pings = [];
      for (let time = 1e6; time < 3e9; time += 1e8)
        pings.push({
          hostBefore: hostLeadNs + BigInt(time + wrongNs - 5000),
          guest: clock.at(time) - clock.guestOrigin,
          hostAfter: hostLeadNs + BigInt(time + wrongNs + 5000),
        });
      const { heldOut } = await mapsOf({ host, guest, pings, tids });
      assert.equal(heldOut.length, 1);
      return heldOut[0]!;
    };
    const right = await heldOutWith(0);
    assert.equal(right.fitted, right.fewest);
    assert.ok(right.far > 100 && right.fitted < right.far / 10, JSON.stringify(right));
    for (const wrongNs of [-40_000, 40_000]) {
      const { fitted, fewest } = await heldOutWith(wrongNs);
      assert.ok(fitted > 100 && fewest < fitted / 10, `${wrongNs} ns: ${fitted}, at best ${fewest}`);
    }
    await host.close();
    await guest.close();
  });
});
