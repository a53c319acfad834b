import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Guest } from './harness/index.ts';
import { GuestAgent } from './support/agent.ts';
import { TracedGuest } from './support/traced-guest.ts';

const pipePages = 16;
/** Pages that a worker has in addition to the pipe: the staged page. */
const stagedPages = 1;
const pageBytes = 4096;
const markerBytes = 1000;

/** Writes markers, which nobody reads, until each worker has a full pipe and a full port. */
async function fillPorts(traced: TracedGuest, agent: GuestAgent): Promise<void> {
  for (const cpu of traced.cpus) traced.collector(cpu).pause();
  for (let turn = 0; turn < 20; turn += 1) {
    await traced.load({ rate: 4000, count: 4000, size: markerBytes });
    const { cpus } = await agent.ask('status');
    if (traced.cpus.every((cpu) => (cpus[cpu]?.stalls ?? 0) > 0)) return;
  }
  assert.fail('the ports do not fill');
}

async function workersLeft(guest: Guest, pids: Iterable<number>): Promise<number> {
  let left = 0;
  for (const pid of pids) left += (await guest.run(`test -d /proc/${pid}`)).code === 0 ? 1 : 0;
  return left;
}

describe('a supervisor that is killed', { timeout: 1_800_000 }, () => {
  test('in front of full ports leaves workers that hold them until a reader comes; the next agent waits for that', async () => {
    await using traced = await TracedGuest.restore({ cpus: 2 });
    const first = await GuestAgent.start(traced.guest, '--start', '-s', '64K', '--stop-timeout', '10m');
    await fillPorts(traced, first);
    const pids = [...(await first.workers()).values()];
    assert.equal(pids.length, 2);
    await first.kill();
    const second = await GuestAgent.start(traced.guest, '--start');
    assert.match(second.log, /port trace-path-cpu0 \(\/dev\/\w+\) is held by .*pid \d+/);
    assert.equal(await workersLeft(traced.guest, pids), 2, 'the old workers still wait for their reader');
    for (const cpu of traced.cpus) traced.collector(cpu).resume();
    // a stop does not wait for ports that others have open
    await second.waitRunning(traced.cpus);
    await second.order0();
    await second.end();
    await traced.assertAccounted();
    assert.equal(second.log.split('trace-path-cpu0 (/dev/').length - 1, 1, 'who holds a port is said once');
  });

  test('with all its workers at the same moment costs what their pipes hold, and no more', async () => {
    await using traced = await TracedGuest.restore({ cpus: 2 });
    const first = await GuestAgent.start(traced.guest, '--start', '-s', '64K');
    await fillPorts(traced, first);
    const pids = [first.process.pid, ...(await first.workers()).values()];
    await traced.guest.check(`kill -9 ${pids.join(' ')}`);
    for (const cpu of traced.cpus) traced.collector(cpu).resume();
    const second = await GuestAgent.start(traced.guest, '--start');
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
