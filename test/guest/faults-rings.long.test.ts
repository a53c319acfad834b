import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { guestTracefs, span } from './support/account.ts';
import { assertIdle } from './support/measures.ts';
import { setRing } from './support/rings.ts';
import { TracedGuest } from './support/traced-guest.ts';

const fullRingKb = 1408;
/** Holds all markers of a test, even if they are read late. */
const hugeRingKb = 20_480;

describe('a ring that another process resizes and clears', { timeout: 1_800_000 }, () => {
  async function allAccounted(traced: TracedGuest): Promise<void> {
    await setRing(traced.guest, 'buffer_percent', 50);
    await setRing(traced.guest, 'buffer_size_kb', fullRingKb);
    await traced.assertEnd();
    assert.equal(traced.agent.said('worker crashed: restarting'), 0, traced.agent.log);
  }

  for (const percent of [0, 1])
    test(`buffer_percent ${percent} with a small ring: poll reports an empty ring as readable, and no worker spins`, async () => {
      await using traced = await TracedGuest.restore({ cpus: 2, agent: ['--start'] });
      const { guest } = traced;
      await setRing(guest, 'buffer_size_kb', 64);
      await setRing(guest, 'buffer_percent', percent);
      await traced.load({ rate: 1000, count: 7, size: 100 });
      const workers = [...(await traced.agent.workers()).values()];
      await sleep(1000);
      await assertIdle(guest, workers, 8, 0.2 * workers.length);
      await allAccounted(traced);
    });

  test('resized up and down under load: what the kernel discards is in its own count', async () => {
    await using traced = await TracedGuest.restore({ cpus: 2, agent: ['--start'] });
    const written = traced.load({ rate: 3000, count: 3000 * 6 });
    for (const kb of [4096, 512, 2048, 128, fullRingKb]) {
      await sleep(900);
      await setRing(traced.guest, 'buffer_size_kb', kb);
    }
    await written;
    // the kernel may have refused the last marker, and its arrival shows that all have arrived
    await traced.load({ rate: 1000, count: 100 });
    await allAccounted(traced);
  });

  test('cleared under load: its content is lost, and everything after that arrives', async () => {
    await using traced = await TracedGuest.restore({ cpus: 2, agent: ['--start'] });
    const { agent } = traced;
    await setRing(traced.guest, 'buffer_size_kb', hugeRingKb);
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
      // clearing also resets the kernel's counters
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
});
