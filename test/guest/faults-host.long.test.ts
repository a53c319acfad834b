import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Guest } from './harness/index.ts';
import { assertIdle, availableBytes, shellMs } from './support/measures.ts';
import { TracedGuest } from './support/traced-guest.ts';

/** Entries of a port's queue; each splice takes one, whatever its size. */
const queueEntries = 128;
const defaultPipeBytes = 512 * 1024;

/** Waits until a shell command takes less than `mostMs`: on a busy host it may take longer for a while. */
async function quickAgain(guest: Guest, mostMs: number): Promise<number> {
  const deadlineMs = performance.now() + 120_000;
  for (;;) {
    const ms = await shellMs(guest);
    if (ms < mostMs) return ms;
    assert.ok(performance.now() < deadlineMs, `a shell command takes ${ms} ms, not ${mostMs} as before`);
  }
}

describe('a host that does not read', { timeout: 1_800_000 }, () => {
  test('for 30 s pins no more than its queues hold; the guest stays as fast; a late reader gets everything', async () => {
    await using traced = await TracedGuest.restore({ cpus: 2, memoryMb: 1024, agent: ['--start'] });
    const { agent, guest, cpus } = traced;
    const quietMs = await shellMs(guest);
    for (const cpu of cpus) traced.collector(cpu).pause();
    const before = await availableBytes(guest);
    const written = traced.load({ rate: 4000, count: 4000 * 10 });
    await sleep(5000);
    const loadedMs = await shellMs(guest);
    await written;
    const stalledMs = await quickAgain(guest, 10 * quietMs + 100);
    // a spinning worker would use all of its CPU
    await assertIdle(guest, [agent.process.pid, ...(await agent.workers()).values()], 10, 0.3);
    const pinned = before - (await availableBytes(guest));

    console.log({ quietMs, loadedMs, stalledMs, pinnedMb: pinned / 1e6 });
    // 40 MB per CPU were written: data that does not fit in the queue stays in ring and pipe, or is overwritten
    const most = cpus.length * (queueEntries + 1) * defaultPipeBytes + (16 << 20);
    assert.ok(pinned < most, `${pinned} bytes pinned, ${most} at most`);
    for (const cpu of cpus) traced.collector(cpu).resume();
    await traced.assertEnd();
  });

  test('that pauses the guest for longer than the heartbeat finds the same workers, and loses nothing', async () => {
    await using traced = await TracedGuest.restore({ cpus: 2, agent: ['--start'] });
    const { agent, guest } = traced;
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
    await traced.assertEnd();
  });
});
