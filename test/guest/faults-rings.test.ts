import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { guestTracefs, span } from './support/account.ts';
import { GuestAgent } from './support/agent.ts';
import { assertIdle } from './support/measures.ts';
import { TracedGuest } from './support/traced-guest.ts';

const fullRingKb = 1408;
/** Takes all markers of a test, whoever reads it when. */
const hugeRingKb = 20_480;

describe('a ring that somebody else turns and shakes', { timeout: 1_800_000 }, () => {
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
    await traced.endOf(agent);
    await set('buffer_percent', 50);
    await set('tracing_on', 1);
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
      await assertIdle(guest, workers, 8, 0.2 * workers.length);
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
    // the kernel may have refused the last one, and its arrival is what tells that all are here
    await traced.load({ rate: 1000, count: 100 });
    await allAccounted();
  });

  test('cleared under load: what was in it is gone, and all that comes after arrives', async () => {
    await set('buffer_size_kb', hugeRingKb);
    const from = traced.cpus.map((cpu) => traced.written(cpu));
    const written = traced.load({ rate: 3000, count: 3000 * 4 });
    for (const cpu of traced.cpus) await traced.waitArrived(cpu, 1);
    await traced.guest.check(`: > ${guestTracefs}/trace`);
    await written;
    const behind = 1000;
    await traced.load({ rate: 1000, count: behind });
    await agent.order0();
    await agent.end();
    for (const [index, cpu] of traced.cpus.entries()) {
      // clearing sets the kernel's counts back too
      const { numbers } = await traced.account(cpu, 0);
      const last = traced.written(cpu);
      assert.deepEqual(
        numbers.slice(-behind),
        span(last - behind + 1, behind),
        `CPU ${cpu}: behind all that`,
      );
      const all = [from[index] ?? 0, ...numbers];
      const gaps = numbers.filter((number, at) => number !== (all[at] ?? 0) + 1).length;
      assert.ok(gaps <= 1, `CPU ${cpu}: ${gaps} gaps and one clearing`);
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
    const cpu = 1;
    for (let tries = 0; (await traced.stats(cpu)).overrun < 1000; tries += 1) {
      assert.ok(tries < 10, 'a ring that nobody reads does not overrun');
      const stuck = (await agent.workers()).get(cpu);
      await guest.check(`kill -STOP ${stuck}`);
      // three times what it holds; a heartbeat that misses its worker may be sooner
      await traced.load({ rate: 0, count: 3000, cpus: [cpu] });
      await guest.run(`kill -CONT ${stuck}`);
    }
    const { ledger } = await agent.ask('stop');
    const overruns = await Promise.all(traced.cpus.map(async (cpu) => (await traced.stats(cpu)).overrun));
    assert.deepEqual(
      traced.cpus.map((cpu) => ledger[cpu]?.ring?.overrun),
      overruns,
    );
    assert.equal(agent.said('worker crashed: restarts'), agent.said('worker does not answer: killed'));
    await agent.end();
    await traced.assertAccounted();
  });
});
