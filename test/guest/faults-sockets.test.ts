import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { tracePorts } from './harness/index.ts';
import { GuestAgent } from './support/agent.ts';
import { TracedGuest } from './support/traced-guest.ts';

/** Entries of a port's queue; each splice takes one, however large. */
const queueEntries = 128;
const defaultPipeBytes = 512 * 1024;

describe('a socket client', { timeout: 600_000 }, () => {
  test('that disconnects under load loses what is queued at that moment; when it is back all goes on in whole pages', async () => {
    const ports = tracePorts(2, { chardev: 'socket' });
    await using traced = await TracedGuest.boot({ cpus: 2, ports });
    const agent = await GuestAgent.start(traced.guest, '--start');
    const written = traced.load({ rate: 4000, count: 4000 * 8 });
    const turns = 3;
    for (let turn = 0; turn < turns; turn += 1) {
      await sleep(700);
      await traced.collector(0).close();
      await sleep(1200);
      await traced.collector(0).open();
    }
    await written;
    await agent.order0();
    await agent.end();
    const { received, overrun, missing, written: all, numbers } = await traced.account(0);
    console.log({ received, overrun, missing, all });
    assert.equal(numbers.at(-1), traced.written(0));
    const most = (turns * (queueEntries + 1) * defaultPipeBytes) / 1000;
    assert.ok(missing <= most, `${missing} markers lost`);
    assert.equal(
      agent.said('host end of the port is not connected: pages wait in the ring'),
      turns,
      agent.log,
    );
    assert.equal(agent.said('host end of the port is connected'), turns);
    await traced.assertAccounted([1]);
  });
});
