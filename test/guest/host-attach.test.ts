import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { describe, test } from 'node:test';
import { QmpConnection } from '../../src/host/qmp/connection.ts';
import { listPorts } from '../../src/host/qmp/machine.ts';
import { isLong } from '../set.ts';
import { connectToListener } from './harness/listener.ts';
import { span } from './support/account.ts';
import { Libvirt, withoutLibvirt } from './support/libvirt.ts';
import { traceHost } from './support/trace-host.ts';

function scratchDir(context: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'virtio-trace-attach-'));
  context.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** Starts a machine that never runs an instruction: QEMU's side of attaching needs no guest. */
async function startQemu(context: TestContext, qmp: string, ...args: string[]): Promise<void> {
  const shared = ['-nodefaults', '-display', 'none', '-S', '-qmp', `unix:${qmp},server=on,wait=off`];
  const qemu = spawn('qemu-system-x86_64', [...shared, ...args], { stdio: ['ignore', 'ignore', 'inherit'] });
  context.after(async () => {
    if (qemu.exitCode !== null) return;
    qemu.kill('SIGKILL');
    await once(qemu, 'exit');
  });
  const socket = await connectToListener(qmp, () => qemu.exitCode !== null);
  socket.destroy();
  await once(socket, 'close');
}

/** `NAME BUS NR` of each port. */
async function portsOf(qmp: string): Promise<string[]> {
  const connection = await QmpConnection.open(qmp);
  const ports = await listPorts(connection);
  connection.close();
  return ports.map(({ name, bus, nr }) => `${name} ${bus} ${nr}`).sort();
}

describe('setup --apply --qmp', { timeout: 600_000 }, () => {
  test('adds a virtio-serial device if there is none, and ports with both kinds of chardev', async (context) => {
    const dir = scratchDir(context);
    const qmp = join(dir, 'qmp');
    await startQemu(context, qmp, '-machine', 'pc', '-smp', '1,maxcpus=2');
    const to = ['setup', '--dir', join(dir, 'ports'), '--apply', '--qmp', qmp];
    for (const chardev of ['pipe', 'socket']) {
      const made = await traceHost(...to, '--chardev', chardev);
      assert.equal(made.code, 0, made.stderr);
      assert.equal(made.stdout, '');
      // a CPU that may be plugged in has its port too
      const ports = [
        'agent-ctl-path virtio-trace0.0 1',
        'trace-path-cpu0 virtio-trace0.0 2',
        'trace-path-cpu1 virtio-trace0.0 3',
      ];
      assert.deepEqual(await portsOf(qmp), ports);
      assert.equal(existsSync(join(dir, 'ports', 'agent-ctl-path.socket')), chardev === 'socket');
      const again = await traceHost(...to);
      assert.match(again.stderr, /already attached: control port, CPUs 0-1\n/);
      // the device itself is only removed with the guest's consent, and this guest does not run
      const connection = await QmpConnection.open(qmp);
      for (const id of ['virtio-trace-ctl', 'virtio-trace-cpu0', 'virtio-trace-cpu1']) {
        await connection.execute('device_del', { id });
      }
      connection.close();
      // chardevs are left, as after an interrupted attempt
    }
  });

  test('detaches ports that QEMU was started with, whatever their ids, and attaches new ones', async (context) => {
    const dir = scratchDir(context);
    const qmp = join(dir, 'qmp');
    const ports = join(dir, 'ports');
    const to = ['setup', '--dir', ports, '--cpus', '1'];
    assert.equal((await traceHost(...to)).code, 0);
    const device = ['-device', 'virtio-serial-pci,id=theirs'];
    const byHand = [
      ['agent-ctl-path', 'id=mine,'],
      ['trace-path-cpu0', ''],
    ].flatMap(([name = '', id], index) => [
      '-chardev',
      `pipe,id=c${index},path=${join(ports, name)}`,
      '-device',
      `virtserialport,${id}bus=theirs.0,nr=${index + 1},chardev=c${index},name=${name}`,
    ]);
    await startQemu(context, qmp, '-machine', 'pc', ...device, ...byHand);
    const before = await portsOf(qmp);
    rmSync(join(ports, 'trace-path-cpu0.out'));
    const mended = await traceHost(...to, '--apply', '--qmp', qmp);
    assert.equal(mended.code, 0, mended.stderr);
    assert.match(mended.stderr, /detached because their files were removed: CPU 0\n/);
    assert.match(mended.stderr, /attached: CPU 0; already attached: control port\n/);
    assert.deepEqual(await portsOf(qmp), before);

    const removed = await traceHost('setup', '--dir', ports, '--remove', '--apply', '--qmp', qmp);
    assert.equal(removed.code, 0, removed.stderr);
    assert.match(removed.stderr, /detached: control port, CPU 0\n/);
    assert.deepEqual(await portsOf(qmp), []);
    assert.equal(existsSync(ports), false);
  });

  test('leaves full devices, and ports of other programs, alone', async (context) => {
    const dir = scratchDir(context);
    const qmp = join(dir, 'qmp');
    const small = ['-device', 'virtio-serial-pci,id=theirs,max_ports=3'];
    const other = [
      '-chardev',
      'null,id=n',
      '-device',
      'virtserialport,bus=theirs.0,nr=2,chardev=n,id=agent,name=org.qemu.guest_agent.0',
    ];
    await startQemu(context, qmp, '-machine', 'pc', ...small, ...other);
    const made = await traceHost(
      'setup',
      '--dir',
      join(dir, 'ports'),
      '--apply',
      '--qmp',
      qmp,
      '--cpus',
      '16',
    );
    assert.equal(made.code, 0, made.stderr);
    assert.deepEqual(
      await portsOf(qmp),
      [
        'agent-ctl-path theirs.0 1',
        'org.qemu.guest_agent.0 theirs.0 2',
        ...span(0, 15).map((cpu) => `trace-path-cpu${cpu} virtio-trace0.0 ${cpu + 1}`),
        'trace-path-cpu15 virtio-trace1.0 1',
      ].sort(),
    );
  });

  test('finds a free root port in a q35 machine, and reports when there is none', async (context) => {
    const dir = scratchDir(context);
    const qmp = join(dir, 'qmp');
    await startQemu(context, qmp, '-machine', 'q35', '-device', 'pcie-root-port,id=spare,chassis=1');
    const to = ['setup', '--dir', join(dir, 'ports'), '--apply', '--qmp', qmp];
    const made = await traceHost(...to, '--cpus', '14');
    assert.equal(made.code, 0, made.stderr);
    assert.equal((await portsOf(qmp)).length, 15);
    const more = await traceHost(...to, '--cpus', '15');
    assert.equal(more.code, 3);
    assert.match(more.stderr, /no free PCI Express root port.* — start QEMU with -device pcie-root-port/);
  });

  test('adds ports to an existing device of a running microvm, but no device', async (context) => {
    const dir = scratchDir(context);
    const qmp = join(dir, 'qmp');
    const theirs = ['-device', 'virtio-serial-device,id=theirs,max_ports=4'];
    await startQemu(context, qmp, '-machine', 'microvm', ...theirs);
    const to = ['setup', '--dir', join(dir, 'ports'), '--apply', '--qmp', qmp];
    const made = await traceHost(...to, '--cpus', '2', '--transport', 'mmio');
    assert.equal(made.code, 0, made.stderr);
    const ports = ['agent-ctl-path theirs.0 1', 'trace-path-cpu0 theirs.0 2', 'trace-path-cpu1 theirs.0 3'];
    assert.deepEqual(await portsOf(qmp), ports);
    const more = await traceHost(...to, '--cpus', '4');
    assert.equal(more.code, 3);
    assert.match(more.stderr, /2 of the ports need a virtio-serial device.* — start QEMU with the options/);
    const pci = await traceHost(...to, '--cpus', '4', '--transport', 'pci');
    assert.equal(pci.code, 3);
    assert.match(pci.stderr, /the guest has no PCI bus.* — .*--transport mmio/);
    assert.deepEqual(await portsOf(qmp), ports);
  });

  test('reports when nothing, or another program, listens on the socket', async (context) => {
    const dir = scratchDir(context);
    const nobody = await traceHost(
      'setup',
      '--dir',
      join(dir, 'ports'),
      '--apply',
      '--qmp',
      join(dir, 'none'),
    );
    assert.equal(nobody.code, 3);
    assert.match(nobody.stderr, /no QEMU listens on .*none \(ENOENT\) — start QEMU with -qmp unix:/);
    assert.equal(existsSync(join(dir, 'ports')), false, 'nothing is made for nobody');
    const qmp = join(dir, 'qmp');
    await startQemu(context, qmp, '-machine', 'pc');
    const holder = await QmpConnection.open(qmp);
    const busy = await traceHost('setup', '--dir', join(dir, 'ports'), '--apply', '--qmp', qmp);
    holder.close();
    assert.equal(busy.code, 3);
    assert.match(busy.stderr, /did not send its greeting within 10 s — .*serves one client at a time/);
  });
});

describe('setup for libvirt', { timeout: 900_000, skip: withoutLibvirt() }, () => {
  for (const chardev of isLong ? ['pipe', 'socket'] : ['pipe']) {
    test(`prints XML with which a domain starts, with ${chardev}s`, (context) => {
      const libvirt = new Libvirt(context);
      const where = ['--dir', join(libvirt.dir, 'ports'), '--guest', 'vt'];
      const setup = libvirt.traceHost(
        'setup',
        ...where,
        '--cpus',
        '16',
        '--chardev',
        chardev,
        '--format',
        'libvirt',
      );
      assert.equal(setup.status, 0, setup.stderr);
      libvirt.define(setup.stdout);
      libvirt.check('virsh', 'start', 'vt');
      const running = libvirt.traceHost('ping', ...where, '--timeout', '300ms');
      assert.match(
        running.stderr,
        /guest vt does not answer/,
        'QEMU holds the port, and nobody is in the guest',
      );
      assert.match(
        libvirt.check('virsh', 'qemu-monitor-command', 'vt', '--hmp', 'info qtree'),
        /name = "trace-path-cpu15"/,
      );
      const again = libvirt.traceHost('setup', ...where, '--apply', '--domain', 'vt');
      assert.match(again.stderr, /already attached: control port, CPUs 0-15\n/);
    });
  }

  test('attaches ports to a domain, shut off or running, as far as libvirt allows, and detaches them', (context) => {
    const libvirt = new Libvirt(context);
    // room for three ports, as in a domain that was set up for a guest agent
    libvirt.define("<controller type='virtio-serial' index='0' ports='4'/>");
    const ports = join(libvirt.dir, 'ports');
    const to = ['setup', '--dir', ports, '--apply', '--domain', 'vt'];
    const first = libvirt.traceHost(...to, '--cpus', '1', '--chardev', 'socket');
    assert.equal(first.status, 0, first.stderr);
    assert.match(first.stderr, /attached: control port, CPU 0\n/);
    libvirt.check('virsh', 'start', 'vt');
    const live = libvirt.traceHost(...to, '--cpus', '3');
    assert.equal(live.status, 0, live.stderr);
    assert.match(live.stderr, /attached: CPUs 1-2; already attached: control port, CPU 0\n/);
    assert.match(
      live.stderr,
      /1 of the ports need a virtio-serial controller.*: shut it down and start it again\n/,
    );
    assert.match(libvirt.check('virsh', 'dumpxml', 'vt'), /trace-path-cpu1/);
    assert.doesNotMatch(libvirt.check('virsh', 'dumpxml', 'vt'), /trace-path-cpu2/);
    assert.match(libvirt.check('virsh', 'dumpxml', 'vt', '--inactive'), /trace-path-cpu2/);

    const removed = libvirt.traceHost(...to, '--remove');
    assert.equal(removed.status, 0, removed.stderr);
    for (const scope of [[], ['--inactive']]) {
      assert.doesNotMatch(libvirt.check('virsh', 'dumpxml', 'vt', ...scope), /agent-ctl-path|trace-path/);
    }
    assert.equal(existsSync(ports), false);
    const pipes = libvirt.traceHost(...to);
    assert.equal(pipes.status, 0, pipes.stderr);
    assert.match(pipes.stderr, /attached: control port, CPUs 0-1\n/, 'as many as the domain has CPUs');
    assert.match(
      pipes.stderr,
      /libvirt cannot add pipes to vt while it runs: shut it down and start it again, or/,
    );
    const none = libvirt.traceHost('setup', '--dir', ports, '--apply', '--domain', 'none');
    assert.equal(none.status, 3);
    assert.match(none.stderr, /libvirt has no domain "none" — see virsh list --all/);
  });
});
