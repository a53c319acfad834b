import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { PortSpec } from './harness/index.ts';
import { tracePorts } from './harness/index.ts';
import { GuestAgent } from './support/agent.ts';
import { assertIdle } from './support/measures.ts';
import { TracedGuest } from './support/traced-guest.ts';

/** A port that only occupies a number. */
function filler(index: number): PortSpec {
  return { name: `filler${index}`, chardev: 'pipe' };
}

describe('the 16th pipe-backed port of a virtio-serial device', { timeout: 1_800_000 }, () => {
  test('is never connected to its host: reported once, costs nothing, and works after it is plugged in again', async () => {
    const ports = [...Array.from({ length: 13 }, (_, index) => filler(index)), ...tracePorts(2)];
    await using traced = await TracedGuest.restore({ cpus: 2, ports, portsPerDevice: 16 });
    const { guest } = traced;
    const agent = await GuestAgent.start(guest, '--start');
    const written = traced.load({ rate: 300, count: 300 * 12 });
    await agent.waitSaid('host end of the port is not connected: pages stay in the ring', 1);
    const dead = (await agent.workers()).get(1);
    assert.ok(dead !== undefined);
    await assertIdle(guest, [dead], 5, 0.3);
    assert.equal(traced.collector(1).bytes, 0);
    await traced.waitArrived(0, 1); // the other CPU continues
    assert.equal(agent.said('host end of the port is not connected: pages stay in the ring'), 1, agent.log);

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
