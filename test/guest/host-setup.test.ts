import assert from 'node:assert/strict';
import {
  closeSync,
  constants,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
} from 'node:fs';
import { once } from 'node:events';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Guest } from './harness/index.ts';
import { bootGuest } from './harness/index.ts';
import { span } from './support/account.ts';
import { GuestAgent, load } from './support/agent.ts';
import { isLong, longTest } from '../set.ts';
import type { Ended } from './support/trace-host.ts';
import { traceHost } from './support/trace-host.ts';

function scratchDir(context: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'virtio-trace-setup-'));
  context.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** Boots a guest with the options that `trace-host setup` printed, and no other trace port. */
async function boot(context: TestContext, cpus: number, qemuArgs: readonly string[]): Promise<Guest> {
  const guest = await bootGuest({ cpus, ports: [], qemuArgs });
  context.after(() => guest.close());
  return guest;
}

/** Runs trace-host, which must succeed; returns its stdout. */
async function done(...argv: string[]): Promise<string> {
  const ended = await traceHost(...argv);
  assert.equal(ended.code, 0, ended.stderr);
  return ended.stdout;
}

interface Printed {
  readonly state: string;
  readonly guestClocks: { readonly boottime: string };
  readonly ledger: Readonly<Record<string, { readonly bytesOut: number; readonly flushed: boolean }>>;
}

async function json(...argv: string[]): Promise<Partial<Printed>> {
  return JSON.parse(await done(...argv, '--json'));
}

/** Splits options as a script's `$(trace-host setup)` does. */
function split(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '');
}

/** Waits until the guest has exactly these ports: it sees each one a moment after QEMU. */
async function untilPortsAre(guest: Guest, wanted: readonly string[]): Promise<void> {
  for (const deadlineMs = performance.now() + 60_000; ; await sleep(100)) {
    const names = split(await guest.check('ls /dev/virtio-ports'));
    const found = names.filter((name) => name !== 'harness.shell').sort();
    if (found.join() === wanted.join()) return;
    if (performance.now() > deadlineMs) assert.deepEqual(found, wanted);
  }
}

const expectedNames = (cpus: number): string[] =>
  ['agent-ctl-path', ...span(0, cpus).map((cpu) => `trace-path-cpu${cpu}`)].sort();

/** Sends a port's own name from the guest through each port, and expects it on the host. */
async function assertConnected(guest: Guest, dir: string, names: readonly string[]): Promise<void> {
  await guest.check(`for name in ${names.join(' ')}; do echo $name > /dev/virtio-ports/$name; done`);
  for (const name of names) {
    const fd = openSync(join(dir, `${name}.out`), constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      assert.equal(await readLine(fd), `${name}\n`);
    } finally {
      closeSync(fd);
    }
  }
}

/** Opens a reader for each trace socket: without one QEMU tells the guest that the host end is disconnected. */
async function readSockets(context: TestContext, dir: string, cpus: number): Promise<void> {
  for (const cpu of span(0, cpus)) {
    const socket = connect(join(dir, `trace-path-cpu${cpu}.socket`)).resume();
    socket.on('error', () => {}); // QEMU's end
    context.after(() => socket.destroy());
    await once(socket, 'connect');
  }
}

async function readLine(fd: number): Promise<string> {
  const buffer = Buffer.alloc(100);
  for (let tries = 0; tries < 6000; tries += 1) {
    try {
      return buffer.toString('latin1', 0, readSync(fd, buffer));
    } catch (cause) {
      if (!(cause instanceof Error && 'code' in cause && cause.code === 'EAGAIN')) throw cause;
    }
    await sleep(10);
  }
  return 'nothing came';
}

function assertFails({ code, stdout, stderr }: Ended, exit: number, message: RegExp): void {
  assert.deepEqual([code, stdout], [exit, ''], stderr);
  assert.match(stderr, message);
}

describe('trace-host', { timeout: 1_800_000 }, () => {
  for (const chardev of isLong ? ['pipe', 'socket'] : ['pipe']) {
    test(`sets up ${chardev}s with which a guest boots, and sends orders to its agent`, async (context) => {
      const dir = join(scratchDir(context), 'ports');
      const where = ['--dir', dir, '--guest', 'web'];
      const patient = [...where, '--timeout', '120s'];
      const options = await done('setup', ...where, '--cpus', '2', '--chardev', chardev);
      assertFails(await traceHost('status', ...where), 3, /guest web is not running: .* — start QEMU with/);

      const guest = await boot(context, 2, split(options));
      await untilPortsAre(guest, expectedNames(2));
      const interrupts = await guest.check('cat /proc/interrupts');
      const outputs = interrupts.split('\n').filter((line) => /virtio\d+-output/.test(line));
      assert.equal(outputs.length, 4, `each queue has a vector of its own:\n${interrupts}`);
      const silent = await traceHost('start', ...where, '--timeout', '500ms');
      assertFails(
        silent,
        3,
        /^trace-host: guest web does not answer within 0\.5 s — check that trace-agent runs there/,
      );

      if (chardev === 'socket') await readSockets(context, join(dir, 'web'), 2);
      const agent = await GuestAgent.start(guest);
      await sleep(500);
      assert.equal(agent.said('started'), 0, 'a start that was given up is not obeyed later');
      const ping = await json('ping', ...patient);
      const uptimeNs = Number((await guest.check('cat /proc/uptime')).split('.')[0]) * 1e9;
      const boottime = ping.guestClocks?.boottime;
      assert.ok(Math.abs(Number(boottime) - uptimeNs) < 60e9, `${boottime} is the guest's clock`);
      assert.match(
        await done('ping', ...patient),
        /^guest web answers in \d+\.\d{3} ms, the best of 10 rounds\nclock +guest/,
      );

      assert.equal(await done('start', ...patient), 'guest web: running\n');
      await load(guest, [0, 1], { rate: 200, count: 50 });
      const status = await done('status', ...patient);
      assert.match(status, /^guest web: running, trace-agent \S+, up \d/);
      assert.match(status, /^CPU +state +pid .*\n +0 +running +\d+ +0 /m);
      assert.equal((await json('status', ...patient)).state, 'running');
      await done('setup', ...where); // harmless while it runs
      assertFails(await traceHost('setup', ...where, '--remove'), 1, /is running and has these ports/);

      const stopped = await json('stop', ...patient);
      const ledger = stopped.ledger ?? {};
      assert.deepEqual(Object.keys(ledger), ['0', '1']);
      for (const { bytesOut, flushed } of Object.values(ledger)) {
        assert.ok(flushed && bytesOut > 50_000, JSON.stringify(ledger));
      }
      assertFails(
        await traceHost('start', ...where, '--bare'),
        0,
        /sent a bare 1 to .*; it does not confirm the order/,
      );
      await agent.process.waitFor(/(?:"msg":"started"[^]*){2}/);
      await agent.end();
      await guest.close();
      assert.equal((await traceHost('setup', ...where, '--remove')).code, 0);
      assert.equal(existsSync(join(dir, 'web')), false);
    });
  }

  longTest('sets up more ports than one device can have, and each of them works', async (context) => {
    const dir = scratchDir(context);
    const options = await done('setup', '--dir', dir, '--cpus', '20');
    assert.equal(options.split('virtio-serial-pci').length - 1, 2);
    const guest = await boot(context, 1, split(options));
    await untilPortsAre(guest, expectedNames(20));
    await assertConnected(guest, dir, expectedNames(20));
  });

  longTest(
    'attaches ports to a running guest, on devices with free slots, and detaches them',
    async (context) => {
      const dir = scratchDir(context);
      const qmp = join(dir, 'qmp');
      const ports = join(dir, 'ports');
      const guest = await boot(context, 1, ['-qmp', `unix:${qmp},server=on,wait=off`]);
      const to = ['setup', '--dir', ports, '--apply', '--qmp', qmp];
      const first = await traceHost(...to);
      assert.equal(first.code, 0, first.stderr);
      assert.match(first.stderr, /attached: control port, CPU 0\n/);
      assert.equal(JSON.parse(readFileSync(join(ports, 'guest.json'), 'utf8')).cpus, 1, 'asked of QEMU');
      // with the harness's own port, 14 ports fill its device
      const more = await traceHost(...to, '--cpus', '16');
      assert.match(more.stderr, /attached: CPUs 1-15; already attached: control port, CPU 0\n/);
      const again = await traceHost(...to);
      assert.match(again.stderr, /already set up/);
      assert.match(again.stderr, /already attached: control port, CPUs 0-15\n/);
      assert.doesNotMatch(again.stderr, /(?<!already )attached/);
      await untilPortsAre(guest, expectedNames(16));
      await assertConnected(guest, ports, expectedNames(16));

      const removed = await traceHost(...to, '--remove');
      assert.equal(removed.code, 0, removed.stderr);
      assert.match(removed.stderr, /detached: control port, CPUs 0-15\n.*removed .*ports\n/);
      await untilPortsAre(guest, []);
      assert.equal(existsSync(ports), false);
    },
  );
});
