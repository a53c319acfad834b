import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { tracePorts } from './harness/index.ts';
import { setOnline, until, untilTied, workerOf } from './support/cpus.ts';
import { assertIdle } from './support/measures.ts';
import { TracedGuest } from './support/traced-guest.ts';

const absentCpu = 3;

interface HotpluggableCpu {
  readonly type: string;
  readonly props: Readonly<Record<string, number>>;
  readonly 'qom-path'?: string;
}

/** A guest with three CPUs and room for a fourth, and an agent that traces the fourth too. */
function restored(): Promise<TracedGuest> {
  const agent = ['--start', '--cpus', `0-${absentCpu}`];
  return TracedGuest.restore({ cpus: 3, maxCpus: 4, ports: tracePorts(4), agent }, [0, 1, 2, absentCpu]);
}

describe('CPUs that come and go', { timeout: 1_800_000 }, () => {
  test('one that goes offline under load and comes back: its ring is drained, its worker is pinned to it again', async () => {
    await using traced = await restored();
    const { agent } = traced;
    const others = traced.load({ rate: 1000, count: 1000 * 14, cpus: [0, 2] });
    const worker = await workerOf(agent, 1);
    for (let turn = 0; turn < 2; turn += 1) {
      await traced.load({ rate: 0, count: 3000, cpus: [1] });
      await setOnline(traced.guest, 1, 0);
      const entries = async (): Promise<number> => (await traced.stats(1)).entries;
      // a ring that is less than half full is only read after a timeout
      await until(
        async () => (await entries()) < 700,
        async () => `${await entries()} entries are left in the ring`,
      );
      await untilTied(traced.guest, worker, 1, false);
      await setOnline(traced.guest, 1, 1);
      await untilTied(traced.guest, worker, 1);
    }
    await traced.load({ rate: 1000, count: 1000, cpus: [1] });
    await others;
    assert.equal(await workerOf(agent, 1), worker, 'the same worker all the time');
    await traced.assertEnd(agent, [0, 1, 2]);
  });

  test('one that was never online costs nothing, and is traced as soon as it comes online', async () => {
    await using traced = await restored();
    const { agent, guest } = traced;
    const worker = await workerOf(agent, absentCpu);
    await assertIdle(guest, [worker], 8, 0.2);

    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- QEMU's documented answer
    const slots = (await guest.qmp('query-hotpluggable-cpus')) as HotpluggableCpu[];
    const slot = slots.find((candidate) => candidate['qom-path'] === undefined);
    assert.ok(slot, 'a free slot');
    await guest.qmp('device_add', { driver: slot.type, id: 'late', ...slot.props });
    const dir = `/sys/devices/system/cpu/cpu${absentCpu}`;
    await guest.check(`until [ -f ${dir}/online ]; do usleep 50000; done`);
    await setOnline(traced.guest, absentCpu, 1);
    await traced.load({ rate: 1000, count: 2000 });
    await untilTied(traced.guest, await workerOf(agent, absentCpu), absentCpu);
    await agent.order0();
    await agent.end();
    await traced.assertAccounted();
  });
});
