import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Pause, PauseWatch } from '../../../../src/host/clocks/pause-watch.ts';
import { QmpMonitor } from '../../../../src/host/qmp/monitor.ts';
import { clockNs } from '../../../../src/native/clock.ts';
import { until } from '../../../local/harness/until.ts';
import { FakeQemu } from './fake-qemu.ts';

async function watched(test: TestContext): Promise<{
  readonly qemu: FakeQemu;
  readonly watch: PauseWatch;
  readonly told: { pauses: readonly Pause[] };
}> {
  const qemu = await FakeQemu.start(test);
  const told = { pauses: [] as readonly Pause[] };
  const watch = new PauseWatch(
    (event) => new QmpMonitor([qemu.path], event),
    (pauses) => {
      told.pauses = pauses;
    },
  );
  test.after(() => watch.close());
  await watch.look();
  return { qemu, watch, told };
}

/** The times of a pause by CLOCK_BOOTTIME, with a time before and one after each of them. */
function inOrder(...times: readonly (bigint | undefined)[]): void {
  for (const [index, time] of times.entries())
    assert.ok(
      time !== undefined && (index === 0 || time >= times[index - 1]!),
      `${index}: ${times.join(' ')}`,
    );
}

const now = (): bigint => clockNs('boottime');

describe('a guest that is paused', () => {
  it('ran until the last answer, stood still between the events, and ran again when QEMU said so', async (test) => {
    const { qemu, watch, told } = await watched(test);
    const ran = now();
    await watch.look();
    const before = now();
    qemu.stop();
    const stopped = now();
    await until('paused', () => watch.isPaused, 20_000);
    await watch.look();
    assert.equal(told.pauses[0]?.to, undefined);
    await sleep(50);
    const resumes = now();
    // it does not run when RESUME arrives
    qemu.holding = true;
    qemu.resume();
    const resumed = now();
    await sleep(50);
    assert.ok(watch.isPaused);
    const runs = now();
    const sinceMs = performance.now();
    qemu.release();
    await until('running', () => !watch.isPaused, 20_000);
    assert.equal(told.pauses.length, 1);
    const { from, pausedFrom, pausedTo, to } = told.pauses[0]!;
    inOrder(ran, from.boottime, before);
    // QEMU gives microseconds, and the harness those of performance.now()
    const rough = 100_000n;
    inOrder(before - rough, pausedFrom?.boottime, stopped + rough);
    inOrder(resumes - rough, pausedTo?.boottime, resumed + rough);
    inOrder(runs, to?.boottime, now());
    for (const clock of ['monotonic', 'monotonicRaw'] as const)
      inOrder(from[clock], pausedFrom?.[clock], pausedTo?.[clock], to?.[clock]);
    assert.ok(watch.wasPausedSince(sinceMs), 'an answer from then may still be late');
    assert.ok(!watch.wasPausedSince(performance.now() + 1));
  });

  it('twice in a row has two pauses, even if it was not seen to run in between', async (test) => {
    const { qemu, watch, told } = await watched(test);
    qemu.stop();
    await until('paused', () => watch.isPaused, 20_000);
    qemu.holding = true;
    qemu.resume();
    await sleep(20);
    qemu.stop();
    qemu.release();
    await until('two pauses', () => told.pauses.length === 2, 20_000);
    qemu.resume();
    await until('running', () => !watch.isPaused, 20_000);
    const [first, second] = told.pauses;
    assert.ok(first && second);
    inOrder(
      first.from.boottime,
      first.pausedFrom?.boottime,
      first.pausedTo?.boottime,
      first.to?.boottime,
      second.to?.boottime,
    );
    assert.equal(second.from.boottime, first.pausedTo?.boottime);
    inOrder(second.from.boottime, second.pausedFrom?.boottime, second.pausedTo?.boottime);
  });

  it('and stays so has no end', async (test) => {
    const { qemu, watch, told } = await watched(test);
    qemu.stop();
    await until('paused', () => watch.isPaused, 20_000);
    watch.close();
    assert.deepEqual(
      told.pauses.map(({ to }) => to),
      [undefined],
    );
  });

  it('or was, when the connection ended, has an end that is unknown but not later than the last moment', async (test) => {
    const { qemu, watch, told } = await watched(test);
    qemu.stop();
    await until('paused', () => watch.isPaused, 20_000);
    qemu.hangUp();
    await until('lost', () => !watch.isPaused, 20_000);
    assert.ok(watch.wasPausedSince(performance.now()), 'nobody has seen it run');
    const before = now();
    watch.close();
    inOrder(before, told.pauses[0]?.to?.boottime, now());
    assert.equal(told.pauses[0]?.pausedTo, undefined);
  });

  it('while nobody listened began after it was last seen to run', async (test) => {
    const { qemu, watch, told } = await watched(test);
    await watch.look();
    const ran = now();
    qemu.hangUp();
    await until('lost', () => !watch.monitor.isConnected, 20_000);
    qemu.running = false;
    await connected(watch);
    await watch.look();
    const paused = now();
    qemu.resume();
    await until('running', () => told.pauses[0]?.to !== undefined, 20_000);
    const { from, pausedFrom, pausedTo, to } = told.pauses[0]!;
    assert.ok(from.boottime < ran);
    inOrder(ran, pausedFrom?.boottime, paused);
    inOrder(pausedFrom?.boottime, pausedTo?.boottime, to?.boottime);
  });
});

/** Waits until it is connected again: it leaves a socket alone for a while. */
async function connected(watch: PauseWatch): Promise<void> {
  await until('connected', () => watch.monitor.isConnected, 20_000);
}
