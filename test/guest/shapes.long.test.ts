import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { bootGuest, restoreGuest, tracePorts } from './harness/index.ts';
import { arrivedMarkers, MarkerReader, span } from './support/account.ts';
import { GuestAgent, load } from './support/agent.ts';

describe('guests of other shapes', { timeout: 1_800_000 }, () => {
  test('16 CPUs with ports on two virtio-serial devices: the markers of every CPU arrive', async () => {
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

  test('without udev ports are found by their names in sysfs', async () => {
    await using guest = await restoreGuest({ cpus: 1, udev: false });
    assert.notEqual((await guest.run('ls /dev/virtio-ports/trace-path-cpu0')).code, 0);
    const collector = await guest.collect(0);
    const agent = await GuestAgent.start(guest);
    await agent.order1();
    await load(guest, [0], { rate: 500, count: 100 });
    await agent.order0();
    assert.deepEqual(await arrivedMarkers(await MarkerReader.of(guest), collector, 0, 100), span(1, 100));
    await agent.end();
  });

  test('a missing port is reported once, with the QEMU options for it, and the other CPU continues', async () => {
    await using guest = await restoreGuest({ cpus: 2, ports: tracePorts(2, { without: [1] }) });
    const collector = await guest.collect(0);
    const agent = await GuestAgent.start(guest);
    assert.match(agent.log, /"cpus":1,"of":2,"msg":"ready"/);
    assert.match(
      agent.log,
      /no port trace-path-cpu1 .*virtserialport,chardev=trace-path-cpu1,name=trace-path-cpu1/,
    );
    await agent.order1();
    await load(guest, [0], { rate: 500, count: 100 });
    await agent.order0();
    assert.deepEqual(await arrivedMarkers(await MarkerReader.of(guest), collector, 0, 100), span(1, 100));
    assert.equal(agent.log.split('no port trace-path-cpu1').length - 1, 1, 'said once');
    await agent.end();
  });

  test('a second agent reports who has the ports open, and ends', async () => {
    await using guest = await restoreGuest({ cpus: 2, running: GuestAgent.running() });
    const agent = GuestAgent.of(guest);
    const second = await guest.run('trace-agent', { timeoutMs: 240_000 });
    assert.equal(second.code, 3, second.stderr);
    assert.match(second.stderr, new RegExp(`port agent-ctl-path .* is held by .*pid ${agent.process.pid}`));
    await agent.end();
  });
});
