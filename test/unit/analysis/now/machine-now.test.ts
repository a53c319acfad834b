import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { MachineNow } from '../../../../src/analysis/now/machine-now.ts';
import { openTrace } from '../../../../src/trace/open.ts';
import { type MadeEvent, madeRecording, switchData, taskName, wakeData } from '../made-trace.ts';

const preempted = 0n;
const sleeping = 1n;

async function counted(
  test: TestContext,
  events: readonly MadeEvent[],
  prepare: (now: MachineNow) => void = () => undefined,
): Promise<MachineNow> {
  const trace = await openTrace(await madeRecording(test, events));
  test.after(() => trace.close());
  const now = new MachineNow(trace.formats(), () => undefined);
  prepare(now);
  for await (const batch of trace.events()) for (const event of batch) now.take(event);
  return now;
}

const change = (cpu: number, ns: number, prev: number, state: bigint, next: number): MadeEvent => ({
  cpu,
  ns,
  pid: prev,
  data: switchData(prev, state, next),
});

describe('MachineNow', () => {
  it('counts run times, the busy share and wakeup latencies', async (test) => {
    const now = await counted(test, [
      change(0, 1000, 0, preempted, 7),
      { cpu: 0, ns: 4000, pid: 7, data: wakeData('waking', 7, 8) },
      change(0, 7000, 7, sleeping, 8),
      change(0, 9000, 8, sleeping, 0),
      change(0, 11_000, 0, preempted, 7),
    ]);
    const { cpus, tasks, wakeups, spanNs, missing } = now.frame();
    assert.equal(spanNs, 10_000);
    assert.deepEqual(
      tasks.map(({ comm, share, cpus }) => [comm, share, cpus]),
      [
        [taskName(7), 0.6, [0]],
        [taskName(8), 0.2, [0]],
      ],
    );
    assert.equal(cpus[0]?.busyShare, 0.8);
    assert.equal(cpus[0]?.topTask?.pid, 7);
    assert.deepEqual([wakeups?.count, wakeups?.maxNs, wakeups?.p50Ns], [1, 3000, 3000]);
    assert.deepEqual(missing, ['irq']);
  });

  it('begins each frame anew', async (test) => {
    const now = await counted(test, [change(0, 1000, 0, preempted, 7), change(0, 3000, 7, sleeping, 0)]);
    assert.equal(now.frame().events, 2);
    const { events, spanNs, tasks } = now.frame();
    assert.deepEqual([events, spanNs, tasks], [0, 0, []]);
  });

  it('names the task that had the CPU for which a vCPU waited', async (test) => {
    const now = await counted(
      test,
      [
        change(0, 1000, 0, preempted, 5),
        change(0, 3000, 5, preempted, 9),
        change(0, 7000, 9, sleeping, 5),
        change(0, 11_000, 5, sleeping, 0),
      ],
      ({ stolen }) => stolen.add(5, { guest: 'web', cpu: 1 }),
    );
    assert.deepEqual(now.frame().stolen, [
      { guest: 'web', guestCpu: 1, byComm: taskName(9), byPid: 9, share: 0.4 },
    ]);
  });

  it('counts the tasks beyond its limit as one', async (test) => {
    const events = Array.from({ length: 6000 }, (_, index) =>
      change(0, 1000 + index * 10, index === 0 ? 0 : index, sleeping, index + 1),
    );
    const frame = (await counted(test, events)).frame();
    assert.equal(frame.tasks.length, 20);
    assert.deepEqual([frame.tasks[0]?.comm, frame.tasks[0]?.pid], ['others', -1]);
  });
});
