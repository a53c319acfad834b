import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { tracePorts } from './harness/index.ts';
import { GuestAgent } from './support/agent.ts';
import { killLoop } from './support/kill-loop.ts';
import { assertIdle } from './support/measures.ts';
import { TracedGuest } from './support/traced-guest.ts';

const cpus = [0, 1];
const rate = 5000;
const kills = 10;

describe('workers that are killed', { timeout: 1_800_000 }, () => {
  test('SIGKILL of random workers, also before they are ready, under load: nothing lost, nothing doubled', async () => {
    await using traced = await TracedGuest.boot({ cpus: cpus.length });
    const agent = await GuestAgent.start(traced.guest, '--max-restarts', '1000', '--start');
    await traced.loadWhile({ rate, count: rate * 2 }, async () => {
      const killer = await killLoop(traced.guest, agent.process.pid, kills, 300);
      await killer.wait(600_000);
      assert.equal(Number(killer.stdout), kills, killer.stderr);
    });
    await agent.order0();
    const silent = agent.said('worker does not answer: killed');
    assert.equal(agent.said('worker crashed: restarts'), kills + silent, agent.log);
    await agent.end();
    await traced.assertAccounted();
  });

  test('with socket chardevs, and the control port without a client: no spin, then orders are obeyed', async () => {
    const ports = tracePorts(cpus.length, { controlChardev: 'socket' });
    await using traced = await TracedGuest.boot({ cpus: cpus.length, ports });
    const { guest } = traced;
    const agent = await GuestAgent.start(guest);
    await sleep(3000);
    // a spinning agent takes all of the CPU
    await assertIdle(guest, [agent.process.pid], 10, 0.05);

    await guest.control.listen();
    await agent.order1();
    await traced.load({ rate: 1000, count: 1000 });
    await agent.order0();
    await traced.assertAccounted();
    await guest.control.send('{"id":1,"order":"ping"}\n');
    assert.match(await guest.control.received.line(), /^\{"id":1,"ok":true,"clocks":\{"boottime":"\d+"/);
    await agent.end();
  });
});
