// @alone this machine's tracefs

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { clockNs } from '../../src/native/clock.ts';
import { readInfo } from '../../src/trace/info.ts';
import { readAlignment } from '../../src/trace/recording/clock-files.ts';
import { readRecording } from '../../src/trace/recording/recording-format.ts';
import { holdMachine } from '../local/harness/machine-lock.ts';
import { agentSkip } from '../local/harness/skip.ts';
import { type Guest, restoreGuest, tracePorts } from './harness/index.ts';
import { GuestAgent } from './support/agent.ts';
import { startRecord } from './support/recording.ts';

describe('a guest that is paused while it is recorded with its host', {
  skip: agentSkip(),
  timeout: 900_000,
}, () => {
  holdMachine();
  let guest: Guest;
  let name: string;
  let dir: string;
  const work = mkdtempSync(join(tmpdir(), 'virtio-trace-pauses-'));
  const out = join(work, 's.dat');

  before(async () => {
    guest = await restoreGuest({
      cpus: 2,
      ports: tracePorts(2),
      monitor: true,
      running: GuestAgent.running(),
    });
    const portsDir = dirname(guest.port('agent-ctl-path').path);
    [name, dir] = [basename(portsDir), dirname(portsDir)];
  });
  after(async () => {
    await guest.close();
    rmSync(work, { recursive: true, force: true });
  });

  test('has two pieces of time, with a bound that is not that of the pause', async () => {
    const run = startRecord(dir, out, work, ['-e', 'sched', '-A', name, '--json']);
    await run.said('recording;');
    const guestDir = join(work, `s-${name}.dat.recording`);
    await sleep(2500);
    const before = clockNs('boottime');
    await guest.qmp('stop');
    const stopped = clockNs('boottime');
    await sleep(200);
    const resumes = clockNs('boottime');
    await guest.qmp('cont');
    await sleep(2500);
    const { pauses = [] } = await readRecording(guestDir);
    assert.equal(pauses.length, 1);
    const { hostFrom, pausedFrom, pausedTo, hostTo } = pauses[0]!;
    const roughNs = 5_000_000n;
    assert.ok(BigInt(hostFrom) < stopped && BigInt(hostFrom) > before - 2_000_000_000n);
    assert.ok(pausedFrom !== null && BigInt(pausedFrom) > before && BigInt(pausedFrom) < stopped + roughNs);
    assert.ok(
      pausedTo !== null && BigInt(pausedTo) > resumes - roughNs && BigInt(pausedTo) > BigInt(pausedFrom),
    );
    assert.ok(hostTo !== null && BigInt(hostTo) > BigInt(pausedTo));
    run.child.kill('SIGINT');
    const { code, stdout, stderr } = await run.ended;
    assert.equal(code, 0, stderr);
    const [{ clock = [] }] = JSON.parse(stdout);
    assert.equal(clock.length, 2, stdout);
    assert.ok(!existsSync(guestDir), 'it is complete');
    assert.deepEqual((await readInfo(join(work, `s-${name}.dat`))).pauses, pauses);
    // if it were unknown when the guest was paused, half the pause
    for (const { boundNs, medianBoundNs } of clock)
      assert.ok(medianBoundNs <= boundNs && boundNs < 100e6, `${medianBoundNs} to ${boundNs} ns`);
    const [first = 0, second = 0] = clock.map(({ offsetNs }: { offsetNs: string }) => Number(offsetNs));
    const jump = second - first;
    assert.ok(jump > 190e6 && jump < 2e9, `${jump}`);
  });

  test('and stays paused does not keep the recording from its end', async () => {
    const run = startRecord(dir, out, work, ['-e', 'sched', '-A', name, '--json'], '3s');
    await run.said('recording;');
    await sleep(1500);
    await guest.qmp('stop');
    // longer than the guest may take to answer
    await sleep(5000);
    assert.equal(run.child.exitCode, null);
    const ending = clockNs('boottime');
    run.child.kill('SIGINT');
    const { code, stdout, stderr } = await run.ended;
    await guest.qmp('cont');
    assert.equal(code, 5, stderr);
    assert.match(stderr, /is paused \(QEMU pid \d+ says paused\)/);
    assert.equal(JSON.parse(stdout).length, 2);
    const guestDir = join(work, `s-${name}.dat.recording`);
    const { pauses = [] } = await readRecording(guestDir);
    // The message about a guest that does not answer asks QEMU too, on the same socket, so the pause has two parts.
    const [first] = pauses;
    const last = pauses.at(-1);
    assert.ok(first && last && pauses.length <= 2, JSON.stringify(pauses));
    assert.ok(last.hostTo === null || BigInt(last.hostTo) > ending, JSON.stringify(pauses));
    if (last !== first) assert.ok(BigInt(last.hostFrom) <= BigInt(first.hostTo ?? 0), JSON.stringify(pauses));
    assert.equal(readAlignment(guestDir)?.pieces.length, 1);
  });
});
