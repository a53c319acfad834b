import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { GuestAgent } from './support/agent.ts';
import { TracedGuest } from './support/traced-guest.ts';

const pipePages = 16;
/** What a worker has in its hands beyond the pipe: the page that is staged. */
const stagedPages = 1;
const pageBytes = 4096;
const markerBytes = 1000;

describe('a supervisor that is killed', { timeout: 1_800_000 }, () => {
  let traced: TracedGuest;
  const started: GuestAgent[] = [];

  before(async () => {
    traced = await TracedGuest.boot({ cpus: 2 });
  });

  beforeEach(async () => {
    await traced.begin();
  });

  afterEach(async () => {
    for (const cpu of traced.cpus) traced.collector(cpu).resume();
    for (const agent of started.splice(0)) await traced.endOf(agent);
  });

  after(async () => {
    await traced.close();
  });

  async function start(...args: string[]): Promise<GuestAgent> {
    const agent = await GuestAgent.start(traced.guest, '--start', ...args);
    started.push(agent);
    return agent;
  }

  /** Nobody reads, and markers come until each worker has a full pipe in front of a full port. */
  async function fillPorts(agent: GuestAgent): Promise<void> {
    for (const cpu of traced.cpus) traced.collector(cpu).pause();
    for (let turn = 0; turn < 20; turn += 1) {
      await traced.load({ rate: 4000, count: 4000, size: markerBytes });
      const { cpus } = await agent.ask('status');
      if (traced.cpus.every((cpu) => (cpus[cpu]?.stalls ?? 0) > 0)) return;
    }
    assert.fail('the ports do not fill');
  }

  async function workersLeft(pids: Iterable<number>): Promise<number> {
    let left = 0;
    for (const pid of pids) left += (await traced.guest.run(`test -d /proc/${pid}`)).code === 0 ? 1 : 0;
    return left;
  }

  /** They leave when their pipes are empty, and the next agent may be ready before. */
  async function leave(pids: readonly number[]): Promise<void> {
    await traced.guest.check(
      `for pid in ${pids.join(' ')}; do while [ -d /proc/$pid ]; do sleep 0.1; done; done`,
    );
  }

  async function pidsOf(agent: GuestAgent): Promise<number[]> {
    const pids = [...(await agent.workers()).values()];
    assert.equal(pids.length, traced.cpus.length);
    return pids;
  }

  test('under load is followed at once by another one, and nothing at all is lost', async () => {
    const rounds = 3;
    let agent = await start();
    await traced.loadWhile({ rate: 5000, count: 5000 }, async () => {
      for (let round = 0; round < rounds; round += 1) {
        await sleep(1000 + Math.random() * 500);
        const pids = await pidsOf(agent);
        await agent.kill();
        agent = await start();
        await leave(pids);
        await agent.waitRunning(traced.cpus);
      }
    });
    await agent.order0();
    await agent.end();
    await traced.assertAccounted();
  });

  test('in front of full ports leaves workers that hold them until a reader comes; the next agent waits for that', async () => {
    const first = await start('-s', '64K', '--stop-timeout', '10m');
    await fillPorts(first);
    const pids = await pidsOf(first);
    await first.kill();
    const second = await start();
    assert.match(second.log, /port trace-path-cpu0 \(\/dev\/\w+\) is held by .*pid \d+/);
    assert.equal(await workersLeft(pids), 2, 'the old workers still wait for their reader');
    for (const cpu of traced.cpus) traced.collector(cpu).resume();
    // a stop does not wait for ports that others hold
    await second.waitRunning(traced.cpus);
    await second.order0();
    await second.end();
    await traced.assertAccounted();
    assert.equal(second.log.split('trace-path-cpu0 (/dev/').length - 1, 1, 'who holds a port is said once');
  });

  test('with all its workers at the same moment costs what their pipes hold, and no more', async () => {
    const { guest } = traced;
    const first = await start('-s', '64K');
    await fillPorts(first);
    const pids = [first.process.pid, ...(await pidsOf(first))];
    await guest.check(`kill -9 ${pids.join(' ')}`);
    for (const cpu of traced.cpus) traced.collector(cpu).resume();
    const second = await start();
    await second.waitRunning(traced.cpus);
    await traced.load({ rate: 1000, count: 1000, size: markerBytes });
    await second.order0();
    await second.end();
    for (const cpu of traced.cpus) {
      const { missing, numbers } = await traced.account(cpu);
      const most = Math.ceil(((pipePages + stagedPages) * pageBytes) / markerBytes);
      assert.ok(missing > 0, 'the pipe was full: else this shows nothing');
      assert.ok(missing <= most, `CPU ${cpu}: ${missing} markers lost, ${most} are in a full pipe`);
      assert.equal(numbers.at(-1), traced.written(cpu));
    }
  });
});
