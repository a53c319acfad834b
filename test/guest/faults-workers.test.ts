import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { exitCode } from '../../src/failure.ts';
import { GuestAgent } from './support/agent.ts';
import { TracedGuest } from './support/traced-guest.ts';

const stuck = 1;
const other = 0;
const load = { rate: 500, count: 500 * 10 } as const;

describe('a worker that', { timeout: 1_800_000 }, () => {
  let traced: TracedGuest;
  let agent: GuestAgent | undefined;

  before(async () => {
    traced = await TracedGuest.boot({ cpus: 2 });
  });

  beforeEach(async () => {
    await traced.begin();
  });

  afterEach(async () => {
    await traced.endOf(agent);
  });

  after(async () => {
    await traced.close();
  });

  test('stands still is replaced by the heartbeat; the other goes on, and nothing is lost', async () => {
    agent = await GuestAgent.start(traced.guest, '--start');
    const pid = (await agent.workers()).get(stuck);
    await traced.guest.check(`kill -STOP ${pid}`);
    const written = traced.load(load);
    // the other CPU goes on
    await traced.waitArrived(other, 1);
    await agent.waitSaid('worker does not answer: killed', 1);
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
    agent = await GuestAgent.start(guest, '--ports-dir', dir, '--max-restarts', '2', '--start');
    await traced.load(load);
    await agent.waitSaid('worker crashes again and again: given up', 1);
    await agent.order0();
    assert.match(agent.log, /trace-agent worker: Error: splice to the port: EINVAL/);
    assert.match(agent.log, /"cpu":1,[^\n]*given up/);
    assert.equal((await traced.account(other)).missing, 0);
    assert.equal(await agent.terminate(), exitCode.lost);
  });
});
