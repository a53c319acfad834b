import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isLong } from '../set.ts';
import { TracedGuest } from './support/traced-guest.ts';

const rate = isLong ? 4000 : 1500;

describe('a host that does not always read', { timeout: 1_800_000 }, () => {
  test('that closes and opens again under load loses nothing', async () => {
    await using traced = await TracedGuest.restore({ cpus: 2, agent: ['--start'] });
    const written = traced.load({ rate, count: rate * 8 });
    for (let turn = 0; turn < 6; turn += 1) {
      for (const cpu of traced.cpus) await traced.collector(cpu).close();
      await sleep(Math.random() * 800);
      for (const cpu of traced.cpus) await traced.collector(cpu).open();
      await sleep(Math.random() * 300);
    }
    await written;
    await traced.assertEnd();
    assert.equal(traced.agent.said('worker crashed: restarting'), 0);
  });

  test('knows from the totals of a stop when the guest may power off: everything has arrived', async () => {
    await using traced = await TracedGuest.restore({ cpus: 2, agent: ['--start'] });
    const { agent, guest } = traced;
    await traced.load({ rate: 0, count: 20_000 });
    const { ledger } = await agent.ask('stop');
    for (const cpu of traced.cpus) {
      assert.equal(ledger[cpu]?.flushed, true);
      await traced.waitArrived(cpu, ledger[cpu].bytesOut);
    }
    const overruns = traced.cpus.map((cpu) => ledger[cpu]?.ring?.overrun ?? 0);
    await guest.powerOff();
    for (const cpu of traced.cpus) {
      const { missing, numbers } = await traced.account(cpu, overruns[cpu]);
      assert.equal(missing, 0, `CPU ${cpu}`);
      assert.equal(numbers.at(-1), traced.written(cpu));
    }
  });
});
