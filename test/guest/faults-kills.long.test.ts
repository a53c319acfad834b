import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { tracePorts } from './harness/index.ts';
import { span } from './support/account.ts';
import { GuestAgent } from './support/agent.ts';
import { killLoop } from './support/kill-loop.ts';
import { TracedGuest } from './support/traced-guest.ts';

/** The back-off of a worker that dies repeatedly grows, so the more than 500 kills come from several agents in turn. */
const agents = 10;
const cpus = span(0, 2);
const killsPerAgent = 14;
const killEveryMs = 300;

const loads = {
  light: { rate: 500, count: 5000 },
  /** More than an emulated guest can move: the rings overrun, and the kernel counts the overwritten events. */
  full: { rate: 20_000, count: 160_000 },
} as const;

const all = [
  ['light', 'pipe'],
  ['full', 'socket'],
  ['light', 'socket'],
  ['full', 'pipe'],
] as const;

describe('workers killed at random moments', { timeout: 5_400_000 }, () => {
  for (const [name, chardev] of all) {
    test(`${name} load, ${chardev} chardevs: nothing lost, nothing duplicated, in order`, async () => {
      const ports = tracePorts(cpus.length, { chardev });
      await using traced = await TracedGuest.restore({ cpus: cpus.length, ports });
      let kills = 0;
      for (let round = 0; round < agents; round += 1) {
        await traced.begin();
        const agent = await GuestAgent.start(
          traced.guest,
          '--max-restarts',
          '1000',
          '--flush-interval',
          '50',
        );
        await agent.order1();
        const killer = await killLoop(traced.guest, agent.process.pid, killsPerAgent, killEveryMs);
        await traced.load(loads[name]);
        await killer.wait(600_000);
        await agent.order0();
        const killed = agent.deaths();
        assert.equal(Number(killer.stdout), killsPerAgent, killer.stderr);
        assert.equal(killed, killsPerAgent + agent.said('worker does not respond: killed'), agent.log);
        assert.equal(agent.said('port accepted pages and dropped them: lost'), 0);
        kills += killed;
        await agent.end();
        await traced.assertAccounted();
      }
      console.log(`${kills} kills`);
    });
  }
});
