// @alone this machine's tracefs

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Cause, Wait } from '../../src/analysis/explain/result.ts';
import { isObject } from '../../src/base/json-type.ts';
import { hostSettings } from '../local/harness/host-settings.ts';
import { holdMachine } from '../local/harness/machine-lock.ts';
import { agentSkip, toolSkip } from '../local/harness/skip.ts';
import { until } from '../local/harness/until.ts';
import { interruptAgain } from '../local/hostile-guest-run.ts';
import { type Guest, type GuestProcess, restoreGuest, tracePorts } from './harness/index.ts';
import { GuestAgent } from './support/agent.ts';
import { startRecording } from './support/recording.ts';
import { traceHost } from './support/trace-host.ts';

/** The guest's CPU on which a task is disturbed, and the host's CPU on which its vCPU runs. */
const guestCpu = 1;
const hostCpu = '1';
const spin = 'while :; do :; done';

describe('trace-host explain -A', {
  skip: agentSkip() || toolSkip('chrt') || toolSkip('taskset'),
  timeout: 900_000,
}, () => {
  holdMachine();
  const work = mkdtempSync(join(tmpdir(), 'virtio-trace-explain-now-'));
  const out = join(work, 's.dat');
  const temporary = join(work, 'tmp');
  const hog = join(work, 'rt-hog');
  let guest: Guest;
  let victim: GuestProcess;
  /** The guest as a named one: the directory of its ports, and the one that this is in. */
  let name: string;
  let dir: string;

  before(async () => {
    mkdirSync(temporary);
    // it sleeps before it spins, so that the kernel records its name
    writeFileSync(hog, `#!/bin/sh\nsleep 0.1\n${spin}\n`, { mode: 0o755 });
    guest = await restoreGuest({
      cpus: 2,
      ports: tracePorts(2),
      monitor: true,
      running: GuestAgent.running(),
    });
    const portsDir = dirname(guest.port('agent-ctl-path').path);
    [name, dir] = [basename(portsDir), dirname(portsDir)];
    const answer = await guest.qmp('query-cpus-fast');
    const vcpu: unknown = Array.isArray(answer) ? answer[guestCpu] : undefined;
    assert.ok(isObject(vcpu));
    const { status } = spawnSync('taskset', ['-pc', hostCpu, String(vcpu['thread-id'])]);
    assert.equal(status, 0);
    // its work at a start and a stop would take the CPU for longer than what is to be found
    await guest.check(`taskset -p 1 ${GuestAgent.of(guest).process.pid}`);
    await guest.check(`printf '#!/bin/sh\\n${spin}\\n' > /tmp/victim; chmod +x /tmp/victim`);
    victim = await guest.spawn(['taskset', String(1 << guestCpu), '/tmp/victim']);
  });
  afterEach(() => assert.deepEqual(readdirSync(temporary), [], 'temporary files'));
  after(async () => {
    victim?.kill('SIGKILL');
    await guest.close();
    rmSync(work, { recursive: true, force: true });
  });

  const start = (...args: string[]) =>
    startRecording(work, ['explain', '--dir', dir, '--timeout', '120s', '-A', name, ...args], {
      ...process.env,
      TMPDIR: temporary,
    });

  test('names a realtime task of the host that disturbs the guest', async () => {
    const settings = hostSettings();
    const disturb = `sleep 1; timeout -s KILL 0.5 taskset -c ${hostCpu} chrt -f 50 ${hog}; sleep 0.5`;
    const run = start('-b', '8192', '-o', out, '--task', 'victim', '--', 'sh', '-c', disturb);
    const { code, stdout, stderr } = await run.ended;
    assert.equal(code, 0, stderr);
    assert.deepEqual(hostSettings(), settings);
    const verdict = new RegExp(
      `^${name}: task victim\\[${victim.pid}\\] lost \\d.*; \\d.* because host task rt-hog\\[\\d+\\] \\(prio 49\\) held ` +
        `CPU ${hostCpu}, where its vCPU ${guestCpu} runs`,
      'm',
    );
    assert.match(stdout, verdict);
    const hasKvm = existsSync('/sys/kernel/tracing/events/kvm');
    assert.equal(/this host has no event "kvm": skipped/.test(stderr), !hasKvm, stderr);
    assert.equal(/^missing: host: no kvm_exit .*, if its kernel has these events$/m.test(stdout), !hasKvm);
    assert.match(
      stderr,
      /the recording is in \S+s\.dat, \S+\.dat; to explain it again: trace-host explain \S+s\.dat/,
    );

    const again = await traceHost('explain', out, '--task', String(victim.pid), '--worst', '1', '--json');
    assert.equal(again.code, 0, again.stderr);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a wrong shape shows in the assertions
    const [wait] = JSON.parse(again.stdout).waits as Wait[];
    assert.ok(wait);
    assert.deepEqual([wait.machine, wait.task, wait.kind, wait.cpu], [name, 'victim', 'stolen', guestCpu]);
    const [{ kind, machine, task, prio, cpu, ns } = {} as Partial<Cause>] = wait.causes;
    assert.deepEqual([kind, machine, task, prio, cpu], ['preempted', 'host', 'rt-hog', 49, Number(hostCpu)]);
    assert.ok(ns !== undefined && ns >= 0.9 * wait.lengthNs, `${ns} of ${wait.lengthNs}`);
  });

  test('records events besides those that it needs, of the machine for which they are given', async () => {
    const more = join(work, 'more.dat');
    const events = ['-e', 'workqueue', '-A', name, '-e', 'raw_syscalls:sys_enter'];
    const run = startRecording(
      work,
      ['explain', '--dir', dir, '--timeout', '120s', ...events, '--duration', '1s', '-o', more],
      { ...process.env, TMPDIR: temporary },
    );
    const { code, stderr } = await run.ended;
    assert.equal(code, 0, stderr);
    const systems = async (file: string) => {
      const { stdout } = await traceHost('info', join(work, file), '--json');
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a wrong shape shows in the assertions
      const { buffers } = JSON.parse(stdout) as { buffers: { eventsByName: Record<string, number> }[] };
      return new Set(Object.keys(buffers[0]!.eventsByName).map((event) => event.split(':')[0]));
    };
    const [host, web] = [await systems('more.dat'), await systems(`more-${name}.dat`)];
    assert.deepEqual(
      [host.has('sched'), host.has('workqueue'), host.has('raw_syscalls')],
      [true, true, false],
    );
    assert.deepEqual([web.has('sched'), web.has('workqueue'), web.has('raw_syscalls')], [true, false, true]);
  });

  test('an event that a machine does not have', async () => {
    const { code, stderr } = await start('-e', 'shced', '--duration', '1s').ended;
    assert.equal(code, 1, stderr);
    assert.match(stderr, /this kernel has no event "?shced"?.* — /);
  });

  test('explains what it has recorded when it is interrupted, and leaves nothing', async () => {
    const files = readdirSync(work);
    const run = start('--json');
    await run.said('recording; Ctrl-C to stop');
    await sleep(1500);
    run.child.kill('SIGINT');
    const { code, stdout, stderr } = await run.ended;
    assert.equal(code, 0, stderr);
    const { clocks, waitCount } = JSON.parse(stdout);
    assert.deepEqual(Object.keys(clocks), [name]);
    assert.ok(clocks[name].boundNs > 0, stdout);
    assert.ok(waitCount > 0);
    assert.deepEqual(readdirSync(work), files);
  });

  for (const isKept of [false, true])
    test(`a second Ctrl-C ends it at once, without an explanation${isKept ? ', and keeps what -o names' : ''}`, async () => {
      const settings = hostSettings();
      const before = readdirSync(work);
      const kept = join(work, 'second.dat');
      const run = start(...(isKept ? ['-o', kept] : []));
      await run.said('recording; Ctrl-C to stop');
      // its agent cannot answer, so the recording goes on after the first one
      await guest.qmp('stop');
      run.child.kill('SIGINT');
      await run.said('interrupted; stopping');
      const { code, stdout, stderr } = await interruptAgain(run);
      await guest.qmp('cont');
      // as after `record`, the guest may trace on
      const stop = await traceHost('stop', '--guest', name, '--dir', dir, '--timeout', '120s');
      assert.equal(stop.code, 0, stop.stderr);
      assert.equal(code, 1, stderr);
      assert.equal(stdout, '');
      await until('the host is as before', () => isDeepStrictEqual(hostSettings(), settings), 60_000);
      const dirs = readdirSync(work).filter((file) => !before.includes(file));
      if (!isKept) {
        assert.doesNotMatch(stderr, /is kept/);
        assert.deepEqual(dirs, []);
        return;
      }
      assert.deepEqual(dirs.toSorted(), [`second-${name}.dat.recording`, 'second.dat.recording']);
      for (const dir of dirs) {
        const out = dir.slice(0, -'.recording'.length);
        const how = [`convert it: trace-host convert`, join(work, dir), '-o', join(work, out)].join(' ');
        assert.ok(stderr.includes(how), stderr);
        assert.equal((await traceHost('convert', join(work, dir), '-o', join(work, out))).code, 0);
      }
      const explained = await traceHost('explain', kept, '--json');
      assert.equal(explained.code, 0, explained.stderr);
      assert.ok(JSON.parse(explained.stdout).waitCount > 0);
    });

  test('a task that nobody has seen', async () => {
    const run = start('--duration', '1s', '--task', 'victom');
    const { code, stdout, stderr } = await run.ended;
    assert.equal(code, 2, stderr);
    assert.equal(stdout, '');
    assert.match(stderr, /no task "victom".* — did you mean "victim"\?/);
  });

  test('nothing is recorded if a guest or the command does not exist', async () => {
    const noGuest = await start('-A', 'nosuch').ended;
    assert.equal(noGuest.code, 3);
    assert.match(noGuest.stderr, /nosuch/);
    const noCommand = await start('--', 'no-such-command').ended;
    assert.equal(noCommand.code, 2);
    assert.match(noCommand.stderr, /"no-such-command": no such command/);
  });

  test('nothing is recorded for a file that cannot be written', async () => {
    const refused = async (code: number, says: RegExp, ...args: readonly string[]): Promise<void> => {
      const ended = await start('--duration', '1s', ...args).ended;
      assert.equal(ended.code, code, ended.stderr);
      assert.match(ended.stderr, says);
      assert.doesNotMatch(ended.stderr, /recording;/);
    };
    await refused(3, /no such directory/, '--perfetto', join(work, 'no/such/x.pftrace'));
    await refused(2, /is a directory — specify a file with --perfetto\n$/, '--perfetto', work);
    const both = ['-o', join(work, 'x.dat'), '--perfetto', join(work, `x-${name}.dat`)];
    await refused(2, /is a file of the recording — specify another file with --perfetto\n$/, ...both);
  });
});
