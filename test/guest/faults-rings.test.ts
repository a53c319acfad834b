import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { guestTracefs } from './support/account.ts';
import { GuestAgent } from './support/agent.ts';
import { ticksOf, ticksPerSecond } from './support/measures.ts';
import { TracedGuest } from './support/traced-guest.ts';

const fullRingKb = 1408;

describe('a ring that somebody else turns and shakes', { timeout: 600_000 }, () => {
  let traced: TracedGuest;
  let agent: GuestAgent;

  before(async () => {
    traced = await TracedGuest.boot({ cpus: 2 });
  });

  beforeEach(async () => {
    await set('buffer_size_kb', fullRingKb);
    await traced.begin();
    agent = await GuestAgent.start(traced.guest, '--start');
  });

  afterEach(async () => {
    await set('buffer_percent', 50);
    await set('tracing_on', 1);
    await traced.endOf(agent);
  });

  after(async () => {
    await traced.close();
  });

  async function set(file: string, value: number | string): Promise<void> {
    await traced.guest.check(`echo ${value} > ${guestTracefs}/${file}`);
  }

  async function allAccounted(): Promise<void> {
    await agent.order0();
    assert.equal(agent.said('worker crashed: restarts'), 0, agent.log);
    await agent.end();
    await traced.assertAccounted();
  }

  for (const percent of [0, 1])
    test(`buffer_percent ${percent} with a small ring: poll says readable for nothing, and no worker spins`, async () => {
      const { guest } = traced;
      await set('buffer_size_kb', 64);
      await set('buffer_percent', percent);
      await traced.load({ rate: 1000, count: 7, size: 100 });
      const workers = [...(await agent.workers()).values()];
      await sleep(1000);
      const before = await ticksOf(guest, workers);
      await sleep(8000);
      const used = (await ticksOf(guest, workers)) - before;
      console.log(`${used} ticks of ${workers.length} workers in 8 s`);
      assert.ok(used < 0.2 * 8 * ticksPerSecond * workers.length, `${used} ticks in 8 s: it spins`);
      await allAccounted();
    });

  test('tracing_on 0 and 1 from outside: the worker goes on with what comes after', async () => {
    await traced.load({ rate: 2000, count: 2000 });
    await set('tracing_on', 0);
    await sleep(2500);
    await set('tracing_on', 1);
    await traced.load({ rate: 2000, count: 2000 });
    await allAccounted();
  });

  test('resized up and down under load: what the kernel throws away with it is in its own count', async () => {
    const written = traced.load({ rate: 3000, count: 3000 * 6 });
    for (const kb of [4096, 512, 2048, 128, fullRingKb]) {
      await sleep(900);
      await set('buffer_size_kb', kb);
    }
    await written;
    await allAccounted();
  });

  test('cleared under load: what was in it is gone, and all that comes after arrives', async () => {
    const written = traced.load({ rate: 3000, count: 3000 * 4 });
    await sleep(1500);
    await traced.guest.check(`: > ${guestTracefs}/trace`);
    await written;
    await agent.order0();
    await agent.end();
    for (const cpu of traced.cpus) {
      // clearing sets the kernel's counts back too
      const { numbers } = await traced.account(cpu, 0);
      const last = traced.written(cpu);
      assert.deepEqual(
        numbers.slice(-3000),
        Array.from({ length: 3000 }, (_, index) => last - 2999 + index),
        `CPU ${cpu}: without a gap behind the clearing`,
      );
    }
  });

  test('another tracer is refused while the ring is open, and can be had through the agent', async () => {
    const written = traced.load({ rate: 2000, count: 4000 });
    const { code, stderr } = await traced.guest.run(`echo function > ${guestTracefs}/current_tracer`);
    assert.notEqual(code, 0);
    assert.match(stderr, /busy/i);
    await written;
    await allAccounted();
  });

  test("overrun: the stop answers with the kernel's own count, and the sum is right", async () => {
    const { guest } = traced;
    await agent.ask('status');
    const [stuck] = [...(await agent.workers()).values()];
    assert.ok(stuck !== undefined);
    await guest.check(`kill -STOP ${stuck}`);
    await traced.load({ rate: 0, count: 6000 });
    await guest.check(`kill -CONT ${stuck}`);
    const { ledger } = await agent.ask('stop');
    const overruns = await Promise.all(traced.cpus.map(async (cpu) => (await traced.stats(cpu)).overrun));
    assert.deepEqual(
      traced.cpus.map((cpu) => ledger[cpu]?.ring?.overrun),
      overruns,
    );
    assert.ok(Math.max(...overruns) > 1000, `overruns: ${overruns.join(', ')}`);
    assert.equal(agent.said('worker crashed: restarts'), 0);
    await agent.end();
    await traced.assertAccounted();
  });
});
