import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Guest } from './harness/index.ts';
import { GuestAgent } from './support/agent.ts';
import { assertIdle, availableBytes, shellMs } from './support/measures.ts';
import { TracedGuest } from './support/traced-guest.ts';

/** Entries of a port's queue; each splice takes one, however large. */
const queueEntries = 128;
const defaultPipeBytes = 512 * 1024;

describe('a host that does not read, or not always', { timeout: 1_800_000 }, () => {
  let traced: TracedGuest;
  let agent: GuestAgent;

  before(async () => {
    traced = await TracedGuest.boot({ cpus: 2, memoryMb: 1024 });
  });

  beforeEach(async () => {
    await traced.begin();
    agent = await GuestAgent.start(traced.guest, '--start');
  });

  afterEach(async () => {
    await traced.endOf(agent);
  });

  after(async () => {
    await traced.close();
  });

  async function allAccounted(): Promise<void> {
    await agent.order0();
    await agent.end();
    await traced.assertAccounted();
  }

  /** Waits until a shell command takes less than `mostMs`: on a busy host it may take longer for a while. */
  async function quickAgain(guest: Guest, mostMs: number): Promise<number> {
    const deadlineMs = performance.now() + 120_000;
    for (;;) {
      const ms = await shellMs(guest);
      if (ms < mostMs) return ms;
      assert.ok(performance.now() < deadlineMs, `a shell command takes ${ms} ms, not ${mostMs} as before`);
    }
  }

  test('for 30 s pins what its queues take and no more; the guest stays as quick; a late reader gets all of it', async () => {
    const { guest, cpus } = traced;
    const quietMs = await shellMs(guest);
    for (const cpu of cpus) traced.collector(cpu).pause();
    const before = await availableBytes(guest);
    const written = traced.load({ rate: 4000, count: 4000 * 10 });
    await sleep(5000);
    const loadedMs = await shellMs(guest);
    await written;
    const stalledMs = await quickAgain(guest, 10 * quietMs + 100);
    // one worker that spins takes all of its CPU
    await assertIdle(guest, [agent.process.pid, ...(await agent.workers()).values()], 10, 0.3);
    const pinned = before - (await availableBytes(guest));

    console.log({ quietMs, loadedMs, stalledMs, pinnedMb: pinned / 1e6 });
    // 40 MB a CPU were written: what does not go into the queue stays in ring and pipe, or is overrun
    const most = cpus.length * (queueEntries + 1) * defaultPipeBytes + (16 << 20);
    assert.ok(pinned < most, `${pinned} bytes pinned, ${most} at most`);
    for (const cpu of cpus) traced.collector(cpu).resume();
    await allAccounted();
  });

  test('that closes and opens again under load loses nothing', async () => {
    const written = traced.load({ rate: 4000, count: 4000 * 8 });
    for (let turn = 0; turn < 6; turn += 1) {
      for (const cpu of traced.cpus) await traced.collector(cpu).close();
      await sleep(Math.random() * 800);
      for (const cpu of traced.cpus) await traced.collector(cpu).open();
      await sleep(Math.random() * 300);
    }
    await written;
    await allAccounted();
    assert.equal(agent.said('worker crashed: restarts'), 0);
  });

  test('that pauses the guest for longer than the heartbeat finds the same workers, and everything', async () => {
    const { guest } = traced;
    const workers = await agent.workers();
    const written = traced.load({ rate: 4000, count: 4000 * 4 });
    for (const pauseMs of [7000, 300, 300]) {
      await sleep(500);
      await guest.qmp('stop');
      await sleep(pauseMs);
      await guest.qmp('cont');
    }
    await written;
    assert.deepEqual(await agent.workers(), workers);
    await allAccounted();
  });

  test('knows by the ledger of a stop when the guest may power off: everything is there', async () => {
    const { guest } = traced;
    await traced.load({ rate: 0, count: 20_000 });
    const { ledger } = await agent.ask('stop');
    for (const cpu of traced.cpus) {
      assert.equal(ledger[cpu]?.flushed, true);
      await traced.waitArrived(cpu, ledger[cpu].bytesOut);
    }
    const overruns = traced.cpus.map((cpu) => ledger[cpu]?.ring?.overrun ?? 0);
    await guest.powerOff();
    for (const cpu of traced.cpus) {
      const { missing, numbers } = await traced.account(cpu, overruns[cpu]);
      assert.equal(missing, 0, `CPU ${cpu}`);
      assert.equal(numbers.at(-1), traced.written(cpu));
    }
  });
});
