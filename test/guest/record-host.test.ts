// @alone this machine's tracefs

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isObject } from '../../src/base/json-type.ts';
import { clockNs } from '../../src/native/clock.ts';
import { openSession } from '../../src/trace/session.ts';
import { readRecording, type RecordedVcpu } from '../../src/trace/recording/recording-format.ts';
import { hostSettings } from '../local/harness/host-settings.ts';
import { holdMachine } from '../local/harness/machine-lock.ts';
import { agentSkip } from '../local/harness/skip.ts';
import { tracePorts } from './harness/index.ts';
import { restoreGuest } from './harness/index.ts';
import type { Guest } from './harness/index.ts';
import { GuestAgent } from './support/agent.ts';
import { reportDifference, traceCmd, traceHost } from '../report/compare.ts';
import { hostProgram } from './support/trace-host.ts';
import { parsedReports, type Recorded, reportLines, startRecord } from './support/recording.ts';

const skip = agentSkip();

interface HotpluggableCpu {
  readonly type: string;
  readonly props: Readonly<Record<string, number>>;
  readonly 'qom-path'?: string;
}

const noClock = { boundNs: NaN, medianBoundNs: NaN, methods: [], samples: 0 };

describe('trace-host record of host and guest', { skip, timeout: 900_000 }, () => {
  holdMachine();
  let guest: Guest;
  /** The guest as a named one: the directory of its ports, and the one that this is in. */
  let name: string;
  let dir: string;
  const work = mkdtempSync(join(tmpdir(), 'virtio-trace-record-both-'));
  const out = join(work, 's.dat');

  before(async () => {
    const ports = tracePorts(3);
    guest = await restoreGuest({ cpus: 2, maxCpus: 3, ports, monitor: true, running: GuestAgent.running() });
    const portsDir = dirname(guest.port('agent-ctl-path').path);
    [name, dir] = [basename(portsDir), dirname(portsDir)];
  });
  after(async () => {
    await guest.close();
    rmSync(work, { recursive: true, force: true });
  });

  const start = (...args: readonly string[]) => startRecord(dir, out, work, args);

  async function vcpus(): Promise<readonly RecordedVcpu[]> {
    const { guests = [] } = await readRecording(`${out}.recording`);
    assert.equal(guests.length, 1);
    assert.equal(guests[0]?.name, name);
    assert.equal(guests[0]?.pid, guest.qemuPid);
    return guests[0]?.vcpus ?? [];
  }

  /** As QEMU says on another socket. */
  async function threads(): Promise<ReadonlyMap<unknown, unknown>> {
    const answer = await guest.qmp('query-cpus-fast');
    assert.ok(Array.isArray(answer));
    return new Map(answer.filter(isObject).map((cpu) => [cpu['cpu-index'], cpu['thread-id']]));
  }

  /** CPU time of a thread of QEMU, in ticks. */
  function ticks(tid: number): number {
    const text = readFileSync(`/proc/${guest.qemuPid}/task/${tid}/stat`, 'latin1');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return Number(fields[11]) + Number(fields[12]);
  }

  test('both files, with the threads of the guest, for trace-cmd; settings as before', async () => {
    const settings = hostSettings();
    const run = start('-e', 'sched', '-A', name, '--json');
    await run.said('recording;');
    const known = new Map((await vcpus()).map(({ vcpu, tid }) => [vcpu, tid]));
    assert.deepEqual(known, await threads());
    // the thread of the CPU that is busy is the one that takes time
    const spent = async (cpu: number): Promise<number> => {
      const busy = await guest.spawn(['taskset', String(1 << cpu), '/bin/sh', '-c', 'while :; do :; done']);
      await sleep(500);
      const from = ticks(known.get(cpu) ?? 0);
      const fromOther = ticks(known.get(1 - cpu) ?? 0);
      await sleep(1500);
      const more = ticks(known.get(cpu) ?? 0) - from - (ticks(known.get(1 - cpu) ?? 0) - fromOther);
      busy.kill('SIGKILL', 'group');
      await busy.wait();
      return more;
    };
    for (const cpu of [0, 1]) assert.ok((await spent(cpu)) > 0, `CPU ${cpu}`);
    run.child.kill('SIGINT');
    const { code, stdout, stderr } = await run.ended;
    assert.equal(code, 0, stderr);
    assert.deepEqual(hostSettings(), settings);

    const files = ['s.dat', `s-${name}.dat`];
    assert.deepEqual(readdirSync(work).sort(), [...files].sort());
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a wrong shape shows in the assertions
    const reports = JSON.parse(stdout) as (Recorded & { host: boolean; guest: string | null })[];
    const [ofGuest, ofHost] = reports;
    assert.ok(ofGuest && ofHost && reports.length === 2);
    assert.deepEqual([ofGuest.guest, ofGuest.host, ofHost.guest, ofHost.host], [name, false, null, true]);
    for (const each of reports) {
      assert.ok(each.events > 0);
      assert.ok(Object.keys(each.eventsByName).every((event) => event.startsWith('sched:')));
    }
    const [hostFile = '', guestFile = ''] = files.map((file) => join(work, file));
    assert.equal(reportLines(hostFile).length, ofHost.events);
    assert.equal(reportLines(guestFile).length, ofGuest.events);
    const options = spawnSync('trace-cmd', ['dump', '--options', '-i', hostFile], { encoding: 'latin1' });
    const [, told] =
      /\[Option GUEST, \d+ bytes\]\n(.*) \[Guest name\]\n.* \[trace id\]\n2 \[Guest CPUs\]/.exec(
        options.stdout,
      ) ?? [];
    assert.equal(told, name, options.stdout);
    assert.match(options.stdout, new RegExp(`^ +0 ${known.get(0)} \\[guest cpu, host pid\\]$`, 'm'));
    assert.match(options.stdout, new RegExp(`^ +1 ${known.get(1)} \\[guest cpu, host pid\\]$`, 'm'));
    const both = spawnSync('trace-cmd', ['report', '-i', hostFile, '-i', guestFile], {
      encoding: 'latin1',
      maxBuffer: 1 << 30,
    });
    assert.equal(both.status, 0, both.stderr);
    assert.equal(both.stderr, '');
    const lines = both.stdout.split('\n').filter((line) => line.includes(' sched_'));
    assert.equal(lines.length, ofHost.events + ofGuest.events, 'trace-cmd reads them together');
    assert.ok(!existsSync(`${hostFile}.recording`));
  });

  test("the guest's events have the host's times, within the stated bound", async () => {
    const run = start('-e', 'sched', '-A', name, '--json');
    await run.said('recording;');
    const marks: { readonly before: bigint; readonly after: bigint }[] = [];
    for (let mark = 0; mark < 10; mark++) {
      const program = `/tmp/mark-${mark}`;
      await guest.check(`cp /bin/sh ${program}`);
      const before = clockNs('boottime');
      // an unknown name of busybox is an error, after the exec
      await guest.run([program]);
      marks.push({ before, after: clockNs('boottime') });
      await sleep(200);
    }
    run.child.kill('SIGINT');
    const { code, stdout, stderr } = await run.ended;
    assert.equal(code, 0, stderr);
    const [{ clock = [] } = {}] = parsedReports(stdout);
    assert.equal(clock.length, 1, stdout);
    const [{ boundNs, medianBoundNs, methods, samples } = noClock] = clock;
    assert.ok(
      medianBoundNs > 0 && medianBoundNs <= boundNs && boundNs < 1e9,
      `${medianBoundNs} to ${boundNs} ns`,
    );
    assert.ok(methods.includes('ping') && methods.includes('exclusion'), methods.join());
    assert.ok(samples > 20);

    const session = await openSession(out);
    try {
      assert.deepEqual(
        session.machines.map((machine) => [machine.name, machine.hasHostTimes]),
        [
          ['host', true],
          [name, true],
        ],
      );
      let found = 0;
      const spans = new Map<string, { readonly first: bigint; last: bigint }>();
      for await (const batch of session.events())
        for (const event of batch) {
          const span = spans.get(event.machine);
          if (span === undefined) spans.set(event.machine, { first: event.timestamp, last: event.timestamp });
          else span.last = event.timestamp;
          const [, mark] =
            event.name === 'sched:sched_process_exec'
              ? (/^\/tmp\/mark-(\d)$/.exec(String(event.get('filename'))) ?? [])
              : [];
          if (mark === undefined) continue;
          found++;
          const { before, after } = marks[Number(mark)]!;
          const bound = BigInt(Math.ceil(boundNs));
          assert.ok(event.timestamp >= before - bound, `${mark}: ${before - event.timestamp} ns too early`);
          assert.ok(event.timestamp <= after + bound, `${mark}: ${event.timestamp - after} ns too late`);
        }
      assert.equal(found, marks.length);
      assert.deepEqual([...spans.keys()].toSorted(), ['host', name].toSorted());
      // where the host is not traced, the guest's times rest on pings alone
      const [ofHost, ofGuest] = [spans.get('host'), spans.get(name)];
      assert.ok(ofHost && ofGuest);
      assert.ok(ofHost.first < ofGuest.first, `the host began ${ofHost.first - ofGuest.first} ns later`);
      assert.ok(ofHost.last > ofGuest.last, `the host ended ${ofGuest.last - ofHost.last} ns earlier`);
    } finally {
      await session.close();
    }
    const guestFile = join(work, `s-${name}.dat`);
    const args = ['-i', out, '-i', guestFile];
    assert.equal(await reportDifference(traceCmd, traceHost, args), undefined);
    const info = spawnSync(process.execPath, [hostProgram, 'info', guestFile], { encoding: 'utf8' });
    assert.match(info.stdout, /^host clock ahead by [+-]\d+\.\d{9} s/m);
    const summary = spawnSync(process.execPath, [hostProgram, 'summary', out, '--json'], {
      encoding: 'utf8',
    });
    assert.equal(JSON.parse(summary.stdout).machines.length, 2);
  });

  test('a CPU that is added while recording', async () => {
    const run = start('-e', 'sched_switch', '-A', name);
    await run.said('recording;');
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- QEMU's documented answer
    const slots = (await guest.qmp('query-hotpluggable-cpus')) as HotpluggableCpu[];
    const slot = slots.find((candidate) => candidate['qom-path'] === undefined);
    assert.ok(slot, 'a free slot');
    await guest.qmp('device_add', { driver: slot.type, id: 'late', ...slot.props });
    const wanted = await threads();
    assert.equal(wanted.size, 3);
    while ((await vcpus()).length < 3 && run.child.exitCode === null) await sleep(100);
    const seen = await vcpus();
    assert.deepEqual(new Map(seen.map(({ vcpu, tid }) => [vcpu, tid])), wanted);
    assert.ok(seen.every(({ until }) => until === null));
    const [first, , late] = seen.map(({ from }) => BigInt(from));
    assert.ok(first !== undefined && late !== undefined && late > first);
    run.child.kill('SIGINT');
    const { code, stderr } = await run.ended;
    assert.equal(code, 0, stderr);
  });

  test('a guest that dies ends alone: the host goes on, and both files are written', async () => {
    const run = start('-e', 'sched_switch', '-A', name, '--json');
    await run.said('recording;');
    process.kill(guest.qemuPid, 'SIGKILL');
    await run.said('has disconnected');
    const size = (): number => statSync(join(`${out}.recording`, 'cpu0.raw')).size;
    const before = size();
    while (size() === before && run.child.exitCode === null) await sleep(50);
    run.child.kill('SIGINT');
    const { code, stdout, stderr } = await run.ended;
    assert.equal(code, 5, stderr);
    const [ofGuest, ofHost] = parsedReports(stdout);
    assert.ok(ofGuest && ofHost);
    assert.ok(ofGuest.events > 0);
    const read = ofHost.cpus.reduce((sum, cpu) => sum + (cpu.readEvents ?? 0), 0);
    assert.equal(ofHost.events, read);
    assert.equal(reportLines(out).length, read);
  });
});
