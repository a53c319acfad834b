import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { convertRecording } from '../../../src/trace/convert/convert.ts';
import { type Crossing, explained, findCrossing, shownLines } from '../../../tools/demo/crossing.ts';
import { irqEntryData, type MadeEvent, madeRecording, switchData, wakeData } from '../analysis/made-trace.ts';
import { scratchDir } from '../trace/samples.ts';

const shiftNs = 1_000_000;
const vcpu0 = 100;
const vcpu1 = 101;
const qemu = 90;
const guestTask = 7;

/** Files of a host and a guest whose clock is a millisecond behind; the guest's events are given by the host's clock. */
async function found(
  test: TestContext,
  host: readonly MadeEvent[],
  guest: readonly MadeEvent[],
): Promise<Crossing | undefined> {
  const dir = scratchDir(test);
  const ofGuest = guest.map((event) => ({ ...event, ns: event.ns - shiftNs }));
  const vcpuTids = new Map([
    [0, vcpu0],
    [1, vcpu1],
  ]);
  const sample = { time: 0n, offset: BigInt(shiftNs), scale: 1n, fractionBits: 0n };
  const timeShift = { peerId: 1n, interpolates: true, cpus: [[sample], [sample]] };
  await convertRecording(await madeRecording(test, host, 'boot'), {
    out: join(dir, 's.dat'),
    traceId: 1n,
    guests: [{ name: 'web', traceId: 2n, vcpuTids }],
  });
  const out = join(dir, 's-web.dat');
  await convertRecording(await madeRecording(test, ofGuest, 'boot'), { out, traceId: 2n, timeShift });
  return findCrossing(join(dir, 's.dat'));
}

const event = (ns: number, cpu: number, pid: number, data: Uint8Array): MadeEvent => ({ ns, cpu, pid, data });

/** The host's events of a vCPU's thread that leaves its CPU, is woken, and comes back. */
function hostWakeup(from: number, tid: number, cpu = 0): MadeEvent[] {
  return [
    event(from, cpu, tid, switchData(tid, 1n, 0)),
    event(from + 1000, 1, qemu, wakeData('waking', qemu, tid)),
    event(from + 3000, cpu, 0, switchData(0, 0n, tid)),
  ];
}

/** The guest's events of a task that is woken on a CPU and runs there. */
function guestWakeup(from: number, cpu: number, between: readonly MadeEvent[] = []): MadeEvent[] {
  return [
    ...between,
    event(from, cpu, 0, wakeData('waking', 0, guestTask)),
    event(from + 1000, cpu, 0, switchData(0, 0n, guestTask)),
  ];
}

const irq = (ns: number, cpu: number): MadeEvent => event(ns, cpu, 0, irqEntryData(0, 20, 'virtio1'));

describe('the wakeup that the demo shows', () => {
  it('is one of the guest that the host began, with the times between', async (test) => {
    const crossing = await found(test, hostWakeup(2e6, vcpu1), guestWakeup(2.005e6, 1, [irq(2.004e6, 1)]));
    assert.ok(crossing);
    const { hostWaking, hostSwitch, guestSwitch, vcpu, hostCpu, lines, from, to } = crossing;
    assert.deepEqual(
      [hostWaking, hostSwitch, guestSwitch, vcpu, hostCpu, lines],
      [2_001_000n, 2_003_000n, 2_006_000n, 1, 0, 5],
    );
    // all six events fit
    assert.deepEqual([from, to], [2_000_000n, 2_006_000n]);
    assert.match(
      explained(crossing),
      /^On the host, \S+:90 wakes task-101:101, the thread of the guest's CPU 1,\nwhich waits 2\.0 us for host CPU 0; only then the guest handles an interrupt and wakes task-7:7,\nwhich runs 5\.0 us after the wakeup on the host\.$/,
    );
  });

  it('is not that of a thread that was on its CPU, nor of another CPU of the guest', async (test) => {
    const [, waking, came] = hostWakeup(2e6, vcpu1);
    assert.equal(await found(test, [waking!, came!], guestWakeup(2.005e6, 1)), undefined);
    assert.equal(await found(test, hostWakeup(2e6, vcpu1), guestWakeup(2.005e6, 0)), undefined);
  });

  it('is not one in which the thread left its CPU again, or another task ran first', async (test) => {
    const left = event(2.004e6, 0, vcpu0, switchData(vcpu0, 1n, 0));
    assert.equal(await found(test, [...hostWakeup(2e6, vcpu0), left], guestWakeup(2.005e6, 0)), undefined);
    const other = event(2.0055e6, 0, 0, switchData(0, 0n, guestTask + 1));
    const guest = [...guestWakeup(2.005e6, 0), other].sort((a, b) => a.ns - b.ns);
    assert.equal(await found(test, hostWakeup(2e6, vcpu0), guest), undefined);
  });

  it('has an interrupt and few events in between, if there are several', async (test) => {
    const crossing = await found(
      test,
      [2e6, 3e6, 4e6, 5e6].flatMap((from) => hostWakeup(from, vcpu0)),
      [
        ...guestWakeup(2.005e6, 0),
        ...guestWakeup(3.005e6, 0, [irq(3.004e6, 0), irq(3.0045e6, 0)]),
        ...guestWakeup(4.005e6, 0, [irq(4.004e6, 0)]),
        ...guestWakeup(5.005e6, 0),
      ],
    );
    assert.equal(crossing?.hostWaking, 4_001_000n);
    // five events of it, two before and three after
    assert.deepEqual([crossing.from, crossing.to], [3_006_000n, 5_003_000n]);
  });

  it('fits into the lines', async (test) => {
    const irqs = (count: number) => Array.from({ length: count }, (_, at) => irq(2.004e6 + at, 0));
    const most = shownLines - 4;
    const host = hostWakeup(2e6, vcpu0);
    assert.equal((await found(test, host, guestWakeup(2.005e6, 0, irqs(most))))?.lines, shownLines);
    assert.equal(await found(test, host, guestWakeup(2.005e6, 0, irqs(most + 1))), undefined);
  });
});
