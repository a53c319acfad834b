import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { exitCode } from '../../src/base/failure.ts';
import { GuestAgent } from './support/agent.ts';
import { TracedGuest } from './support/traced-guest.ts';

const stuck = 1;
const other = 0;
const load = { rate: 500, count: 500 * 10 } as const;

describe('a worker that', { timeout: 1_800_000 }, () => {
  test('throws is replaced and finally given up, with its error in the log; the other loses nothing', async () => {
    await using traced = await TracedGuest.restore({ cpus: 2 });
    const { guest } = traced;
    // splice into it fails with EINVAL, which a port never returns
    const dir = '/tmp/ports';
    await guest.check(
      `mkdir ${dir}; ln -s /dev/virtio-ports/* ${dir}/; ln -sf /dev/full ${dir}/trace-path-cpu${stuck}`,
    );
    const agent = await GuestAgent.start(guest, '--ports-dir', dir, '--max-restarts', '2', '--start');
    await traced.load(load);
    await agent.waitSaid('worker keeps crashing: given up', 1);
    await agent.order0();
    assert.match(agent.log, /trace-agent worker: Error: splice to the port: EINVAL/);
    assert.match(agent.log, /"cpu":1,[^\n]*given up/);
    assert.equal((await traced.account(other)).missing, 0);
    assert.equal(await agent.terminate(), exitCode.lost);
  });
});
