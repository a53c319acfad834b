import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isLong } from '../set.ts';
import { assertAsBefore } from './support/as-before.ts';
import { killLoop } from './support/kill-loop.ts';
import { TracedGuest } from './support/traced-guest.ts';

const rate = isLong ? 5000 : 2000;
const kills = 10;

describe('workers that are killed', { timeout: 1_800_000 }, () => {
  test('SIGKILL of random workers, also before they are ready, under load: nothing lost, nothing duplicated', async () => {
    const options = ['--max-restarts', '1000', '--start'];
    await using traced = await TracedGuest.restore({ cpus: 2, agent: options });
    const { agent } = traced;
    await traced.loadWhile({ rate, count: rate * 2 }, async () => {
      const killer = await killLoop(traced.guest, agent.process.pid, kills, 300);
      await killer.wait(600_000);
      assert.equal(Number(killer.stdout), kills, killer.stderr);
    });
    await agent.order0();
    const silent = agent.said('worker does not respond: killed');
    assert.equal(agent.deaths(), kills + silent, agent.log);
    await agent.end();
    await traced.assertAccounted();
    await assertAsBefore(traced.guest);
  });
});
