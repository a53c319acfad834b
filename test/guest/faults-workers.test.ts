import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { exitCode } from '../../src/failure.ts';
import { GuestAgent } from './support/agent.ts';
import { TracedGuest } from './support/traced-guest.ts';

const stuck = 1;
const other = 0;
const load = { rate: 500, count: 500 * 10 } as const;
const patienceMs = 60_000;

describe('a worker that', { timeout: 600_000 }, () => {
  let traced: TracedGuest;

  before(async () => {
    traced = await TracedGuest.boot({ cpus: 2 });
  });

  beforeEach(async () => {
    await traced.begin();
  });

  after(async () => {
    await traced.close();
  });

  test('stands still is replaced by the heartbeat; the other goes on, and nothing is lost', async () => {
    const agent = await GuestAgent.start(traced.guest, '--start');
    const pid = (await agent.workers()).get(stuck);
    const written = traced.load(load);
    await traced.guest.check(`kill -STOP ${pid}`);
    const before = traced.collector(other).bytes;
    await agent.waitSaid('worker does not answer: killed', 1, patienceMs);
    assert.ok(traced.collector(other).bytes > before, 'the other CPU went on');
    await written;
    await agent.order0();
    assert.notEqual((await agent.workers()).get(stuck), pid);
    await agent.end();
    await traced.assertAccounted();
    assert.equal(agent.said('worker does not answer: killed'), 1);
  });

  test('throws is replaced, in the end given up, with its error in the log; the other loses nothing', async () => {
    const { guest } = traced;
    // splice into it fails with EINVAL, which no port ever says
    const dir = '/tmp/ports';
    await guest.check(
      `mkdir ${dir}; ln -s /dev/virtio-ports/* ${dir}/; ln -sf /dev/full ${dir}/trace-path-cpu${stuck}`,
    );
    const agent = await GuestAgent.start(guest, '--ports-dir', dir, '--max-restarts', '2', '--start');
    await traced.load(load);
    await agent.waitSaid('worker crashed: restarts', 2, patienceMs);
    await agent.order0();
    assert.match(agent.log, /trace-agent worker: Error: splice to the port: EINVAL/);
    assert.match(agent.log, /"cpu":1,[^\n]*given up/);
    const { missing, numbers } = await traced.account(other);
    assert.equal(missing, 0);
    assert.equal(numbers.length, load.count);
    assert.equal((await agent.terminate()).code, exitCode.lost);
  });
});
