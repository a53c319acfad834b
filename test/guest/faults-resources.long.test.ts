import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Guest } from './harness/index.ts';
import { program } from './harness/programs.ts';
import { GuestAgent } from './support/agent.ts';
import { TracedGuest } from './support/traced-guest.ts';

const group = '/sys/fs/cgroup/agent';
const filler = '/tmp/fork-filler';

/** Processes of this test itself. */
const mine = { but: /fork-filler/ };

/** An agent in a memory cgroup, and a program that fills the process table. */
async function startInGroup({ guest }: TracedGuest, ...options: string[]): Promise<GuestAgent> {
  await guest.check(`echo +memory > /sys/fs/cgroup/cgroup.subtree_control; mkdir ${group}`);
  await guest.writeFile(filler, readFileSync(program('fork-filler')));
  await guest.check(`chmod +x ${filler}`);
  const inGroup = ['sh', '-c', `echo $$ > ${group}/cgroup.procs; exec "$0" "$@"`];
  return GuestAgent.startThrough(guest, inGroup, '--start', ...options);
}

/**
 * Allocates memory in the group, one MiB at a time, which is less than the exit of a worker frees: the kernel
 * reclaims what it can, then kills a process. A larger amount might not fit even without workers, before a killed
 * worker's memory is freed.
 */
async function squeezeUntilAKill(guest: Guest): Promise<void> {
  const squeeze = `m=$(cat memory.current); until grep -q '^oom_kill [1-9]' memory.events; do
    m=$((m - 1048576)); test $m -gt 0 || exit 1; echo $m > memory.max; done`;
  await guest.check(`cd ${group}; ${squeeze}`, { timeoutMs: 300_000 });
}

describe('a guest that runs out of', { timeout: 1_800_000 }, () => {
  test('processes: one CPU waits, which is reported once, the other continues, and nothing is lost', async () => {
    await using traced = await TracedGuest.restore({ cpus: 2 });
    const agent = await startInGroup(traced, '--no-standby');
    const victim = (await agent.workers()).get(1);
    // no command can be started while the table is full, so these run for as long
    const written = traced.load({ rate: 200, count: 200 * 20 });
    await traced.waitArrived(0, 1);
    const filling = await traced.guest.spawn([filler, '60', String(victim)]);
    await filling.waitFor(/full/);
    await agent.process.waitFor(/cannot fork: EAGAIN/);
    const collector = traced.collector(0);
    await collector.waitBytes(collector.bytes + 1);
    assert.ok(!filling.stdout.includes('done'), 'the other CPU goes on meanwhile');
    filling.endInput();
    await filling.waitFor(/done/);
    await written;
    await traced.assertEnd(agent, traced.cpus, mine);
    const deaths = [...agent.log.matchAll(/"cpu":1,"how":"(.*?)",.*"msg":"worker crashed: restarting"/g)];
    const isSaidAgain = deaths.some(
      ([, how], index) => how?.startsWith('cannot fork') && how === deaths[index - 1]?.[1],
    );
    assert.ok(deaths.length > 1 && !isSaidAgain, `once until a fork succeeds:\n${agent.log}`);
    assert.ok(!agent.log.includes('given up'));
  });

  test('memory in its own cgroup: workers are killed and replaced, the supervisor survives, and nothing is lost', async () => {
    await using traced = await TracedGuest.restore({ cpus: 2 });
    const agent = await startInGroup(traced);
    const { guest } = traced;
    const written = traced.load({ rate: 500, count: 500 * 10 });
    await sleep(2000);
    await squeezeUntilAKill(guest);
    await sleep(1000);
    await guest.check(`echo max > ${group}/memory.max`);
    await written;
    await traced.assertEnd(agent, traced.cpus, mine);
    assert.ok(agent.deaths() > 0);
  });
});
