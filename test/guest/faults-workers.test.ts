import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { assertAsBefore } from './support/as-before.ts';
import { TracedGuest } from './support/traced-guest.ts';

const stuck = 1;
const other = 0;
const load = { rate: 500, count: 500 * 6 } as const;

describe('a worker that', { timeout: 1_800_000 }, () => {
  test('hangs is replaced by the heartbeat; the other continues, and nothing is lost', async () => {
    await using traced = await TracedGuest.restore({ cpus: 2, agent: ['--start'] });
    const { agent } = traced;
    const pid = (await agent.workers()).get(stuck);
    await traced.guest.check(`kill -STOP ${pid}`);
    const written = traced.load(load);
    // the other CPU continues
    await traced.waitArrived(other, 1);
    await agent.waitSaid('worker does not respond: killed', 1);
    await written;
    await agent.order0();
    assert.notEqual((await agent.workers()).get(stuck), pid);
    await agent.end();
    await traced.assertAccounted();
    await assertAsBefore(traced.guest);
    assert.equal(agent.said('worker does not respond: killed'), 1);
  });
});
