import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { assertAsBefore } from './support/as-before.ts';
import { setOnline, untilTied, workerOf } from './support/cpus.ts';
import { TracedGuest } from './support/traced-guest.ts';

describe('CPUs that come and go', { timeout: 1_800_000 }, () => {
  test('one that is offline when its worker starts is read from another CPU', async () => {
    await using traced = await TracedGuest.restore({ cpus: 2, agent: ['--start'] });
    const { agent } = traced;
    await traced.load({ rate: 0, count: 1000, cpus: [1] });
    await setOnline(traced.guest, 1, 0);
    const worker = await workerOf(agent, 1);
    await traced.guest.check(`kill -9 ${worker}`);
    await agent.waitSaid('CPU is offline: reading its ring from another CPU until it is back', 1);
    await agent.order0();
    assert.equal((await traced.stats(1)).entries, 0);
    await setOnline(traced.guest, 1, 1);
    await untilTied(traced.guest, await workerOf(agent, 1), 1);
    await agent.end();
    await traced.assertAccounted();
    await assertAsBefore(traced.guest);
  });
});
