import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { bootGuest, tracePorts } from './harness/index.ts';
import { MarkerReader, outOfOrder, ringStats } from './support/account.ts';
import { GuestAgent, load } from './support/agent.ts';

const cpus = [0, 1];
const seconds = 10;
const rate = 5000;
const killMs = 300;

/** A shell loop that kills one of a process's children, whichever, `times` times if there is one; says how many died. */
function killing(parent: number, times: number): string {
  return (
    `n=0; for turn in $(seq ${Math.round(times)}); do usleep ${killMs * 1000}; ` +
    `set -- $(cat /proc/${parent}/task/${parent}/children); [ $# -gt 0 ] || continue; ` +
    'shift $((RANDOM % $#)); kill -9 $1 && n=$((n+1)); done; echo $n'
  );
}

describe('workers that are killed', { timeout: 600_000 }, () => {
  test('SIGKILL of a random worker every 300 ms under load: nothing lost, nothing doubled', async () => {
    await using guest = await bootGuest({ cpus: cpus.length });
    const reader = await MarkerReader.of(guest);
    const collectors = await Promise.all(cpus.map((cpu) => guest.collect(cpu)));
    const agent = await GuestAgent.start(guest, '--max-restarts', '1000');
    await agent.order1();

    const writers = load(guest, cpus, { rate, count: rate * seconds });
    const killer = await guest.spawn(killing(agent.process.pid, (seconds * 1000) / killMs));
    await writers;
    await killer.wait(60_000);
    const kills = Number(killer.stdout);
    await agent.order0();

    // the longer the row of crashes, the longer a worker stays away: after some five each they are seldom there
    assert.ok(kills >= 6, `${kills} kills`);
    assert.equal(agent.said('worker crashed: restarts'), kills, agent.log);
    for (const cpu of cpus) {
      const collector = collectors[cpu];
      assert.ok(collector);
      await collector.waitQuiet(500);
      const { numbers, leftoverBytes } = reader.read(collector, cpu);
      const { overrun, entries } = await ringStats(guest, cpu);
      assert.equal(leftoverBytes, 0);
      assert.equal(entries, 0);
      assert.equal(outOfOrder(numbers), undefined, `CPU ${cpu}: doubled or out of order`);
      assert.equal(numbers.length + overrun, rate * seconds, `CPU ${cpu}: received + overrun = written`);
      assert.equal(numbers.at(-1), rate * seconds);
    }
    await agent.end();
  });

  test('with socket chardevs, and the control port without a client: no spin, then orders are obeyed', async () => {
    const ports = tracePorts(cpus.length, { controlChardev: 'socket' });
    await using guest = await bootGuest({ cpus: cpus.length, ports });
    const agent = await GuestAgent.start(guest);
    const ticks = async (): Promise<number> => {
      const stats = `cat /proc/${agent.process.pid}/stat`;
      const fields = (await guest.check(stats))
        .slice((await guest.check(stats)).lastIndexOf(')') + 2)
        .split(' ');
      return Number(fields[11]) + Number(fields[12]);
    };
    await sleep(3000);
    const before = await ticks();
    await sleep(10_000);
    const used = (await ticks()) - before;
    // a spinning agent takes all of the CPU: some 1000 ticks
    assert.ok(used < 50, `${used} ticks in 10 s`);

    const collector = await guest.collect(0);
    await guest.control.listen();
    await agent.order1();
    await load(guest, [0], { rate: 1000, count: 1000 });
    await agent.order0();
    await collector.waitQuiet(300);
    const reader = await MarkerReader.of(guest);
    assert.equal(reader.read(collector, 0).numbers.length, 1000);
    await guest.control.send('{"id":1,"order":"ping"}\n');
    assert.match(await guest.control.received.line(), /^\{"id":1,"ok":true,"clocks":\{"boottime":"\d+"/);
    await agent.end();
  });
});
