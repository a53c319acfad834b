import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { bootGuest } from './harness/index.ts';
import { arrivedMarkers, MarkerReader, span } from './support/account.ts';
import { GuestAgent, load } from './support/agent.ts';

describe('a large guest', { timeout: 1_800_000 }, () => {
  test('16 CPUs, their ports on two virtio-serial devices: every CPU arrives', async () => {
    const cpus = span(0, 16);
    await using guest = await bootGuest({ cpus: cpus.length });
    const reader = await MarkerReader.of(guest);
    const collectors = await Promise.all(cpus.map((cpu) => guest.collect(cpu)));
    const agent = await GuestAgent.start(guest);
    assert.match(agent.log, /"cpus":16,"of":16,"msg":"ready"/);
    await agent.order1();
    await load(guest, cpus, { rate: 100, count: 200, size: 200 });
    await agent.order0();
    for (const cpu of cpus) {
      const collector = collectors[cpu];
      assert.ok(collector);
      assert.deepEqual(await arrivedMarkers(reader, collector, cpu, 200), span(1, 200), `CPU ${cpu}`);
    }
    await agent.end();
  });
});
