import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { readKvmTsc } from '../../src/host/clocks/kvm-tsc.ts';
import { LibvirtMonitor, libvirtDomainOf } from '../../src/host/clocks/libvirt-monitor.ts';
import { type Pause, PauseWatch } from '../../src/host/clocks/pause-watch.ts';
import { QmpMonitor } from '../../src/host/qmp/monitor.ts';
import { clockNs } from '../../src/native/clock.ts';
import { until } from '../local/harness/until.ts';
import { Qmp } from './harness/qmp.ts';
import { Libvirt, withoutLibvirt } from './support/libvirt.ts';

const withinMs = 60_000;

/** A QEMU without a machine, which has a state nevertheless, with two QMP sockets. */
async function startQemu(
  test: TestContext,
  ...more: string[]
): Promise<{ child: ChildProcess; first: string; last: string }> {
  const dir = mkdtempSync(join(tmpdir(), 'virtio-trace-qmp-'));
  const [first, last] = [join(dir, 'first'), join(dir, 'last')];
  const machine = more.length > 0 ? more : ['-M', 'none'];
  const qmp = [first, last].flatMap((path) => ['-qmp', `unix:${path},server=on,wait=off`]);
  const options = [...machine, '-nodefaults', '-display', 'none', ...qmp];
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'qemu-system-x86_64', ...options], {
    stdio: 'ignore',
  });
  test.after(async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    rmSync(dir, { recursive: true, force: true });
  });
  await until('QEMU listens', () => existsSync(last), withinMs);
  return { child, first, last };
}

async function qmpOn(test: TestContext, path: string): Promise<Qmp> {
  const socket = connect(path);
  await once(socket, 'connect');
  const qmp = await Qmp.on(socket);
  test.after(() => qmp.close());
  return qmp;
}

describe('a QEMU that pauses its guest', () => {
  test('tells it to one who listens, who leaves the socket to others that wait for it', async (test) => {
    const { first, last } = await startQemu(test);
    const told: { pauses: readonly Pause[] } = { pauses: [] };
    const watch = new PauseWatch(
      (event) => new QmpMonitor([first, last], event),
      (pauses) => {
        told.pauses = pauses;
      },
    );
    test.after(() => watch.close());
    await until('connected', () => watch.monitor.isConnected, withinMs);
    // the first socket is free for others
    const qmp = await qmpOn(test, first);
    await sleep(1100);
    const before = clockNs('boottime');
    await qmp.execute('stop');
    const stopped = clockNs('boottime');
    await until('paused', () => watch.isPaused, withinMs);
    await sleep(200);
    const resumes = clockNs('boottime');
    await qmp.execute('cont');
    const resumed = clockNs('boottime');
    await until('running', () => told.pauses[0]?.to !== undefined, withinMs);
    const { from, pausedFrom, pausedTo, to } = told.pauses[0]!;
    assert.ok(from.boottime < before);
    assert.ok(pausedFrom && pausedFrom.boottime > before && pausedFrom.boottime <= stopped + 1_000_000n);
    assert.ok(pausedTo && pausedTo.boottime >= resumes - 1_000_000n && pausedTo.boottime <= resumed);
    assert.ok(to && to.boottime > pausedTo.boottime);

    const other = await qmpOn(test, last);
    assert.deepEqual(Object(await other.execute('query-status')).running, true);
    await until('left', () => !watch.monitor.isConnected, withinMs);
    await other.execute('stop');
    other.close();
    // what nobody told is seen when it is connected again
    await until('paused', () => watch.isPaused, withinMs);
    await qmp.execute('cont');
    await until('running', () => !watch.isPaused, withinMs);
    assert.equal(told.pauses.length, 2);
  });

  test('tells it to one who asks libvirt, and keeps no mark of that', {
    skip: withoutLibvirt(),
  }, async (test) => {
    const libvirt = new Libvirt(test);
    libvirt.define('');
    libvirt.check('virsh', 'start', 'vt');
    const pid = readFileSync(join(libvirt.dir, 'run', 'libvirt', 'qemu', 'run', 'vt.pid'), 'utf8').trim();
    const argv = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    assert.equal(libvirtDomainOf(argv), 'vt');
    const uri = process.env['LIBVIRT_DEFAULT_URI'];
    process.env['LIBVIRT_DEFAULT_URI'] = libvirt.uri;
    test.after(() => {
      if (uri === undefined) delete process.env['LIBVIRT_DEFAULT_URI'];
      else process.env['LIBVIRT_DEFAULT_URI'] = uri;
    });
    let pauses: readonly Pause[] = [];
    const watch = new PauseWatch(
      (event) => new LibvirtMonitor('vt', event),
      (all) => {
        pauses = all;
      },
    );
    test.after(() => watch.close());
    await watch.look();
    await until('connected', () => watch.monitor.isConnected, withinMs);
    await watch.look();
    const before = clockNs('boottime');
    libvirt.check('virsh', 'suspend', 'vt');
    const stopped = clockNs('boottime');
    await until('paused', () => watch.isPaused, withinMs);
    const resumes = clockNs('boottime');
    libvirt.check('virsh', 'resume', 'vt');
    const resumed = clockNs('boottime');
    await until('running', () => pauses[0]?.to !== undefined, withinMs);
    const { from, pausedFrom, pausedTo, to } = pauses[0]!;
    assert.ok(from.boottime < before);
    assert.ok(pausedFrom && pausedFrom.boottime > before && pausedFrom.boottime <= stopped + 1_000_000n);
    assert.ok(pausedTo && pausedTo.boottime >= resumes - 1_000_000n && pausedTo.boottime <= resumed);
    assert.ok(to && to.boottime > resumed);
    watch.close();
    const log = join(libvirt.dir, 'cache', 'libvirt', 'qemu', 'log', 'vt.log');
    assert.doesNotMatch(readFileSync(log, 'utf8'), /tainted/);
  });

  const hasKvm = existsSync('/dev/kvm') && existsSync('/sys/kernel/debug/kvm');
  test('by KVM has the offset of its TSC in debugfs', {
    skip: hasKvm ? false : 'no KVM, or no debugfs',
  }, async (test) => {
    const { child } = await startQemu(
      test,
      '-accel',
      'kvm',
      '-M',
      'microvm',
      '-cpu',
      'qemu64',
      '-smp',
      '2',
      '-m',
      '64',
      '-S',
    );
    const tsc = await until(
      'vCPUs',
      () => {
        const found = readKvmTsc(child.pid ?? 0);
        return found.kind === 'known' && found.tsc;
      },
      withinMs,
    );
    assert.match(tsc.offset, /^-?\d+$/);
    const other = readKvmTsc(process.pid);
    assert.match(other.kind === 'unknown' ? other.why : '', /KVM does not run it$/);
  });
});
