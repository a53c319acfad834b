import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { assertAsBefore } from './support/as-before.ts';
import { isLong, longTest } from '../set.ts';
import { TracedGuest } from './support/traced-guest.ts';

const victim = 1;
const other = 0;
const port = `trace-path-cpu${victim}`;
const turns = isLong ? 3 : 2;
/** Entries of a port's queue; each splice takes one, whatever its size. */
const queueEntries = 128;
const defaultPipeBytes = 512 * 1024;
const markerBytes = 1000;

describe('a port that is unplugged', { timeout: 1_800_000 }, () => {
  test('and plugged in again: what is written meanwhile arrives, and the other CPU continues', async () => {
    await using traced = await TracedGuest.restore({ cpus: 2, agent: ['--start'] });
    const { agent, guest } = traced;
    for (let turn = 1; turn <= turns; turn += 1) {
      await traced.load({ rate: 1000, count: 500 });
      // what is in the port's queue is lost with the port
      await agent.ask('stop');
      await traced.account(victim);
      await agent.ask('start');
      await traced.loadWhile({ rate: 1000, count: 1000, cpus: [other] }, async () => {
        await guest.unplugPort(port);
        // the agent notices it only when it has something to send
        await traced.load({ rate: 1000, count: 1000, cpus: [victim] });
        await agent.waitSaid('port is gone', turn);
        await guest.plugPort(port);
        await agent.waitRunning(traced.cpus);
      });
    }
    const { ledger } = await agent.ask('stop');
    assert.equal(ledger[victim]?.flushed, true);
    await agent.end();
    await traced.assertAccounted();
    await assertAsBefore(guest);
    assert.equal(agent.said('port is gone'), turns, agent.log);
    assert.ok(agent.log.split(`no port ${port}`).length - 1 <= turns, 'said once each time');
    assert.equal(agent.said('worker crashed: restarting'), 0);
  });

  longTest('under load costs what its queue held at that moment, and the other CPU nothing', async () => {
    await using traced = await TracedGuest.restore({ cpus: 2, agent: ['--start'] });
    const { agent, guest } = traced;
    await traced.loadWhile({ rate: 1000, count: 2000 }, async () => {
      for (let turn = 1; turn <= turns; turn += 1) {
        await sleep(800);
        await guest.unplugPort(port);
        await agent.waitSaid('port is gone', turn);
        await sleep(1200);
        await guest.plugPort(port);
        await agent.waitRunning(traced.cpus);
      }
    });
    await agent.order0();
    await agent.end();
    await traced.assertAccounted([other]);
    const { missing, numbers, received, written } = await traced.account(victim);
    console.log({ received, missing, written });
    assert.equal(numbers.at(-1), traced.written(victim));
    assert.ok(
      missing >= 0 && missing <= (turns * queueEntries * defaultPipeBytes) / markerBytes,
      `${missing}`,
    );
    const gaps = numbers.filter((number, at) => number !== (numbers[at - 1] ?? number - 1) + 1).length;
    assert.ok(gaps <= turns, `${gaps} gaps, ${turns} times unplugged`);
    assert.equal(agent.said('worker crashed: restarting'), 0);
  });

  test('if it is the control port: tracing continues, and orders are executed when it is back', async () => {
    await using traced = await TracedGuest.restore({ cpus: 2, agent: ['--start'] });
    const { agent, guest } = traced;
    const written = traced.load({ rate: 2000, count: 2000 * 4 });
    await sleep(500);
    await guest.unplugPort('agent-ctl-path');
    await sleep(2000);
    await guest.plugPort('agent-ctl-path');
    await agent.waitSaid('control port is back', 1);
    await written;
    await traced.assertEnd();
  });
});
