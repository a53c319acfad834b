import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { tracePorts } from './harness/index.ts';
import { GuestAgent } from './support/agent.ts';
import { assertIdle } from './support/measures.ts';
import { TracedGuest } from './support/traced-guest.ts';

/** Entries of a port's queue; each splice takes one, whatever its size. */
const queueEntries = 128;
const defaultPipeBytes = 512 * 1024;

describe('a socket client', { timeout: 1_800_000 }, () => {
  test('that disconnects under load loses what is queued at that moment; after it reconnects, whole pages arrive again', async () => {
    const ports = tracePorts(2, { chardev: 'socket' });
    await using traced = await TracedGuest.restore({ cpus: 2, ports });
    const agent = await GuestAgent.start(traced.guest, '--start');
    const turns = 3;
    const away = 'host end of the port is not connected: pages stay in the ring';
    const back = 'host end of the port is connected';
    await traced.loadWhile({ rate: 4000, count: 2000 }, async () => {
      for (let turn = 1; turn <= turns; turn += 1) {
        const collector = traced.collector(0);
        await collector.waitBytes(collector.bytes + 500_000);
        await collector.close();
        await agent.waitSaid(away, turn);
        await collector.open();
        await agent.waitSaid(back, turn);
      }
    });
    await agent.order0();
    await agent.end();
    const { received, overrun, missing, written: all, numbers } = await traced.account(0);
    console.log({ received, overrun, missing, all });
    assert.equal(numbers.at(-1), traced.written(0));
    const most = (turns * (queueEntries + 1) * defaultPipeBytes) / 1000;
    assert.ok(missing <= most, `${missing} markers lost`);
    assert.equal(agent.said(away), turns, agent.log);
    assert.equal(agent.said(back), turns);
    await traced.assertAccounted([1]);
  });
});

describe('a control port on a socket', { timeout: 1_800_000 }, () => {
  test('without a client: no spin, then orders are executed', async () => {
    const ports = tracePorts(2, { controlChardev: 'socket' });
    await using traced = await TracedGuest.restore({ cpus: 2, ports });
    const { guest } = traced;
    const agent = await GuestAgent.start(guest);
    await sleep(3000);
    // a spinning agent takes all of the CPU
    await assertIdle(guest, [agent.process.pid], 10, 0.05);

    await guest.control.listen();
    await agent.order1();
    await traced.load({ rate: 1000, count: 1000 });
    await agent.order0();
    await traced.assertAccounted();
    await guest.control.send('{"id":1,"order":"ping"}\n');
    assert.match(await guest.control.received.line(), /^\{"id":1,"ok":true,"clocks":\{"boottime":"\d+"/);
    await agent.end();
  });
});
