import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Guest } from './harness/index.ts';
import { GuestAgent } from './support/agent.ts';
import { isLong } from '../set.ts';
import { TracedGuest } from './support/traced-guest.ts';

const rounds = isLong ? 3 : 1;
const rate = isLong ? 5000 : 1000;

async function pidsOf(agent: GuestAgent, cpus: readonly number[]): Promise<number[]> {
  const pids = [...(await agent.workers()).values()];
  assert.equal(pids.length, cpus.length);
  return pids;
}

/** Waits until workers have exited, which they do when their pipes are empty; the next agent may be ready earlier. */
async function leave(guest: Guest, pids: readonly number[]): Promise<void> {
  await guest.check(`for pid in ${pids.join(' ')}; do while [ -d /proc/$pid ]; do sleep 0.1; done; done`);
}

describe('a supervisor that is killed', { timeout: 1_800_000 }, () => {
  test('under load is replaced at once, and nothing is lost', async () => {
    await using traced = await TracedGuest.restore({ cpus: 2, agent: ['--start'] });
    let { agent } = traced;
    await traced.loadWhile({ rate, count: rate }, async () => {
      for (let round = 0; round < rounds; round += 1) {
        await sleep(1000 + Math.random() * 500);
        const pids = await pidsOf(agent, traced.cpus);
        await agent.kill();
        agent = await GuestAgent.start(traced.guest, '--start');
        await leave(traced.guest, pids);
        await agent.waitRunning(traced.cpus);
      }
    });
    await traced.assertEnd(agent);
  });
});
