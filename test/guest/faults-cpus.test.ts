import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { tracePorts } from './harness/index.ts';
import { GuestAgent } from './support/agent.ts';
import { assertIdle } from './support/measures.ts';
import { TracedGuest } from './support/traced-guest.ts';

const absentCpu = 3;
/** A wait that is longer hangs. */
const patienceMs = 120_000;

interface HotpluggableCpu {
  readonly type: string;
  readonly props: Readonly<Record<string, number>>;
  readonly 'qom-path'?: string;
}

describe('CPUs that come and go', { timeout: 1_800_000 }, () => {
  let traced: TracedGuest;
  let agent: GuestAgent;

  before(async () => {
    const ports = tracePorts(4);
    traced = await TracedGuest.boot({ cpus: 3, maxCpus: 4, ports }, [0, 1, 2, absentCpu]);
  });

  beforeEach(async () => {
    await traced.begin();
    agent = await GuestAgent.start(traced.guest, '--start', '--cpus', `0-${absentCpu}`);
  });

  afterEach(async () => {
    await traced.endOf(agent);
  });

  after(async () => {
    await traced.close();
  });

  async function online(cpu: number, value: 0 | 1): Promise<void> {
    await traced.guest.check(`echo ${value} > /sys/devices/system/cpu/cpu${cpu}/online`);
  }

  /** Which CPUs the threads of a process may run on, each once. */
  async function affinity(pid: number): Promise<string[]> {
    const lists = await traced.guest.check(`grep -h Cpus_allowed_list: /proc/${pid}/task/*/status`);
    return [
      ...new Set(
        lists
          .trim()
          .split('\n')
          .map((line) => line.split(':')[1]?.trim() ?? ''),
      ),
    ];
  }

  /** Waits until `reached` is true; throws what `what` says at the end of all patience. */
  async function until(reached: () => Promise<boolean>, what: () => Promise<string>): Promise<void> {
    const deadlineMs = performance.now() + patienceMs;
    while (!(await reached())) {
      if (performance.now() > deadlineMs) assert.fail(await what());
      await sleep(200);
    }
  }

  /** Waits until all threads of a process may run on that CPU and on no other, or on others too. */
  async function untilTied(pid: number, cpu: number, tied = true): Promise<void> {
    const isTied = async (): Promise<boolean> => (await affinity(pid)).join() === String(cpu);
    await until(
      async () => (await isTied()) === tied,
      async () => `process ${pid}, CPU ${cpu}: ${(await affinity(pid)).join('; ')}`,
    );
  }

  async function workerOf(cpu: number): Promise<number> {
    const pid = (await agent.workers()).get(cpu);
    assert.ok(pid !== undefined, agent.log);
    return pid;
  }

  test('one that goes offline under load and comes back: its ring is drained, its worker tied to it again', async () => {
    const others = traced.load({ rate: 1000, count: 1000 * 14, cpus: [0, 2] });
    const worker = await workerOf(1);
    for (let turn = 0; turn < 2; turn += 1) {
      await traced.load({ rate: 0, count: 3000, cpus: [1] });
      await online(1, 0);
      const entries = async (): Promise<number> => (await traced.stats(1)).entries;
      // less than half of the ring waits for its time
      await until(
        async () => (await entries()) < 700,
        async () => `${await entries()} entries are left in the ring`,
      );
      await untilTied(worker, 1, false);
      await online(1, 1);
      await untilTied(worker, 1);
    }
    await traced.load({ rate: 1000, count: 1000, cpus: [1] });
    await others;
    assert.equal(await workerOf(1), worker, 'the same worker all the time');
    await agent.order0();
    await agent.end();
    await traced.assertAccounted([0, 1, 2]);
  });

  test('one that is offline when its worker starts is read from elsewhere', async () => {
    await traced.load({ rate: 0, count: 1000, cpus: [1] });
    await online(1, 0);
    const worker = await workerOf(1);
    await traced.guest.check(`kill -9 ${worker}`);
    await agent.waitSaid('CPU is offline: its ring is read from another CPU until it is back', 1);
    await agent.order0();
    assert.equal((await traced.stats(1)).entries, 0);
    await online(1, 1);
    await untilTied(await workerOf(1), 1);
    await agent.end();
    await traced.assertAccounted([0, 1, 2]);
  });

  test('one that never was online costs nothing, and is traced from the moment that it comes', async () => {
    const { guest } = traced;
    const worker = await workerOf(absentCpu);
    await assertIdle(guest, [worker], 8, 0.2);

    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- QEMU's documented answer
    const slots = (await guest.qmp('query-hotpluggable-cpus')) as HotpluggableCpu[];
    const slot = slots.find((candidate) => candidate['qom-path'] === undefined);
    assert.ok(slot, 'a free slot');
    await guest.qmp('device_add', { driver: slot.type, id: 'late', ...slot.props });
    const dir = `/sys/devices/system/cpu/cpu${absentCpu}`;
    await guest.check(`until [ -f ${dir}/online ]; do usleep 50000; done`);
    await online(absentCpu, 1);
    await traced.load({ rate: 1000, count: 2000 });
    await untilTied(await workerOf(absentCpu), absentCpu);
    await agent.order0();
    await agent.end();
    await traced.assertAccounted();
  });
});
