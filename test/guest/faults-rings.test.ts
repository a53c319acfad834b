import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { guestTracefs } from './support/account.ts';
import { setRing } from './support/rings.ts';
import { TracedGuest } from './support/traced-guest.ts';

describe('a ring that another process controls', { timeout: 1_800_000 }, () => {
  test('tracing_on 0 and 1 from outside: the worker continues with later events', async () => {
    await using traced = await TracedGuest.restore({ cpus: 2, agent: ['--start'] });
    await traced.load({ rate: 2000, count: 1000 });
    await setRing(traced.guest, 'tracing_on', 0);
    await sleep(2500);
    await setRing(traced.guest, 'tracing_on', 1);
    await traced.load({ rate: 2000, count: 1000 });
    await traced.assertEnd();
    assert.equal(traced.agent.said('worker crashed: restarting'), 0, traced.agent.log);
  });

  test('another tracer is refused while the ring is open, and can be selected through the agent', async () => {
    await using traced = await TracedGuest.restore({ cpus: 2, agent: ['--start'] });
    const written = traced.load({ rate: 2000, count: 2000 });
    const { code, stderr } = await traced.guest.run(`echo function > ${guestTracefs}/current_tracer`);
    assert.notEqual(code, 0);
    assert.match(stderr, /busy/i);
    await written;
    await traced.assertEnd();
    assert.equal(traced.agent.said('worker crashed: restarting'), 0, traced.agent.log);
  });

  test("overrun: the stop answers with the kernel's own count, and the sum is right", async () => {
    await using traced = await TracedGuest.restore({ cpus: 2, agent: ['--start'] });
    const { agent, guest } = traced;
    const cpu = 1;
    for (let tries = 0; (await traced.stats(cpu)).overrun < 1000; tries += 1) {
      assert.ok(tries < 10, 'a ring that nobody reads does not overrun');
      const stuck = (await agent.workers()).get(cpu);
      await guest.check(`kill -STOP ${stuck}`);
      // three times the ring's content; a worker that hangs may be killed before that
      await traced.load({ rate: 0, count: 3000, cpus: [cpu] });
      await guest.run(`kill -CONT ${stuck}`);
    }
    const { ledger } = await agent.ask('stop');
    const overruns = await Promise.all(traced.cpus.map(async (cpu) => (await traced.stats(cpu)).overrun));
    assert.deepEqual(
      traced.cpus.map((cpu) => ledger[cpu]?.ring?.overrun),
      overruns,
    );
    assert.equal(agent.said('worker crashed: restarting'), agent.said('worker does not respond: killed'));
    await agent.end();
    await traced.assertAccounted();
  });
});
