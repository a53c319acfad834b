import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { HostileInput, quickOrders } from '../unit/protocol/hostile-input.ts';
import type { GuestAgent } from './support/agent.ts';
import { descriptorsOf, rssKbOf } from './support/measures.ts';
import { isLong } from '../set.ts';
import { TracedGuest } from './support/traced-guest.ts';

const inputs = isLong ? 5000 : 500;
const batch = 100;
/** How much Node's heap may grow between two garbage collections while orders are executed. */
const growthKb = 40_000;

/** Stops tracing. Orders are executed in sequence; while 64 orders wait, a further one is refused as busy. */
async function stopAtLast(agent: GuestAgent): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    try {
      await agent.ask('stop', {}, 300_000);
      return;
    } catch (error) {
      if (!String(error).includes('"busy"') || tries === 200) throw error;
      await sleep(500);
    }
  }
}

describe('a control port with hostile input', { timeout: 1_800_000 }, () => {
  test(`${inputs} random and mutated inputs: every order after them is executed, the supervisor does not grow`, async () => {
    await using traced = await TracedGuest.restore({ cpus: 2, agent: [] });
    const { agent, guest } = traced;
    const { pid } = agent.process;
    // the agent now opens what it opens only once
    await agent.ask('start');
    await agent.ask('stop');
    const descriptorsBefore = await descriptorsOf(guest, pid);
    const fromMs = performance.now();
    const seed = Date.now() >>> 0;
    const hostile = new HostileInput(seed, quickOrders);
    const rssKb: number[] = [];
    for (let sent = 0; sent < inputs; sent += batch) {
      const pieces: Uint8Array[] = [];
      for (let index = 0; index < batch; index += 1) pieces.push(hostile.next(), Buffer.from('\n'));
      await guest.control.send(Buffer.concat(pieces));
      await agent.ask('ping');
      if (sent % (inputs / 5) === 0) rssKb.push(await rssKbOf(guest, pid));
    }
    await stopAtLast(agent);
    assert.equal((await agent.ask('status')).state, 'stopped', `seed ${seed}`);
    rssKb.push(await rssKbOf(guest, pid));
    const descriptors = await descriptorsOf(guest, pid);
    console.log({ seed, rssKb, descriptorsBefore, descriptors });
    assert.ok(Math.max(...rssKb) - (rssKb[1] ?? 0) < growthKb, `seed ${seed}: RSS ${rssKb.join(', ')} kB`);
    assert.equal(descriptors, descriptorsBefore, `seed ${seed}`);
    const complaints = agent.log.split('"level":"warn"').length - 1;
    const minutes = Math.ceil((performance.now() - fromMs) / 60_000);
    // ten warnings, and one with the number of the others
    assert.ok(complaints <= 11 * (minutes + 1), `${complaints} warnings in ${minutes} minutes`);

    await traced.begin();
    await agent.order1();
    await traced.load({ rate: 1000, count: 2000 });
    await traced.assertEnd();
  });
});
