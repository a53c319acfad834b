import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PortSpec } from './harness/index.ts';
import { tracePorts } from './harness/index.ts';
import { GuestAgent } from './support/agent.ts';
import { assertIdle } from './support/measures.ts';
import { TracedGuest } from './support/traced-guest.ts';

describe('a port that is unplugged', { timeout: 1_800_000 }, () => {
  let traced: TracedGuest;
  let agent: GuestAgent;

  before(async () => {
    traced = await TracedGuest.boot({ cpus: 2 });
  });

  beforeEach(async () => {
    await traced.begin();
    agent = await GuestAgent.start(traced.guest);
  });

  afterEach(async () => {
    await traced.endOf(agent);
  });

  after(async () => {
    await traced.close();
  });

  test('and plugged in again under load: neither its CPU nor the other loses a page', async () => {
    const { guest } = traced;
    await agent.order1();
    const turns = 3;
    await traced.loadWhile({ rate: 1000, count: 2000 }, async () => {
      for (let turn = 1; turn <= turns; turn += 1) {
        await sleep(800);
        await guest.unplugPort('trace-path-cpu1');
        await agent.waitSaid('port is gone', turn);
        await sleep(1200);
        await guest.plugPort('trace-path-cpu1');
        await agent.waitRunning(traced.cpus);
      }
    });
    const { ledger } = await agent.ask('stop');
    assert.equal(ledger[1]?.flushed, true);
    await agent.end();
    await traced.assertAccounted([0]);
    const account = await traced.account(1);
    assert.equal(account.numbers.at(-1), traced.written(1));
    assert.equal(account.missing, 0);
    assert.equal(agent.said('port is gone'), turns, agent.log);
    assert.ok(agent.log.split('no port trace-path-cpu1').length - 1 <= turns, 'said once each time');
    assert.equal(agent.said('worker crashed: restarts'), 0);
  });

  test('if it is the control port: tracing goes on, and orders are obeyed when it is back', async () => {
    const { guest } = traced;
    await agent.order1();
    const written = traced.load({ rate: 2000, count: 2000 * 6 });
    await sleep(500);
    await guest.unplugPort('agent-ctl-path');
    await sleep(2000);
    await guest.plugPort('agent-ctl-path');
    await agent.waitSaid('control port is back', 1);
    await written;
    await agent.order0();
    await agent.end();
    await traced.assertAccounted();
  });
});

/** A port that is there for its number alone. */
function filler(index: number): PortSpec {
  return { name: `filler${index}`, chardev: 'pipe' };
}

describe('the 16th pipe-backed port of a virtio-serial device', { timeout: 1_800_000 }, () => {
  test('is never connected to its host: said once, costs nothing, and works when it was plugged in again', async () => {
    const ports = [...Array.from({ length: 13 }, (_, index) => filler(index)), ...tracePorts(2)];
    await using traced = await TracedGuest.boot({ cpus: 2, ports, portsPerDevice: 16 });
    const { guest } = traced;
    const agent = await GuestAgent.start(guest, '--start');
    const written = traced.load({ rate: 300, count: 300 * 12 });
    await agent.waitSaid('host end of the port is not connected: pages wait in the ring', 1);
    const dead = (await agent.workers()).get(1);
    assert.ok(dead !== undefined);
    await assertIdle(guest, [dead], 5, 0.3);
    assert.equal(traced.collector(1).bytes, 0);
    await traced.waitArrived(0, 1); // the other CPU goes on
    assert.equal(agent.said('host end of the port is not connected: pages wait in the ring'), 1, agent.log);

    await guest.unplugPort('trace-path-cpu1');
    await agent.waitSaid('port is gone', 1);
    await guest.plugPort('trace-path-cpu1');
    await agent.waitRunning(traced.cpus);
    await written;
    const { ledger } = await agent.ask('stop');
    assert.equal(ledger[1]?.flushed, true, agent.log);
    await agent.end();
    await traced.assertAccounted();
  });
});
