import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { restoreGuest, tracePorts } from './harness/index.ts';
import type { Guest } from './harness/index.ts';
import { repoRoot } from './harness/paths.ts';
import { assertAsBefore } from './support/as-before.ts';

describe('the guest harness', { timeout: 900_000 }, () => {
  let guest: Guest;

  before(async () => {
    guest = await restoreGuest({ cpus: 2 });
  });

  after(async () => {
    await guest.close();
    assert.equal(existsSync(guest.dir), false);
  });

  test('a command returns its exit code, stdout and stderr separately', async () => {
    const result = await guest.run('echo out; echo err >&2; exit 7');
    assert.deepEqual(result, { code: 7, stdout: 'out\n', stderr: 'err\n' });
    assert.equal((await guest.run(['no-such-program'])).code, 127);
    assert.equal((await guest.run('kill -9 $$')).code, 128 + 9);
  });

  test('files of a few MB are copied in and out unchanged, also through a command', async () => {
    const data = randomBytes(5 << 20);
    await guest.writeFile('/tmp/data', data);
    assert.equal(Buffer.compare(await guest.readFile('/tmp/data'), data), 0);
    const sum = await guest.check(['sha256sum'], { stdin: data });
    assert.equal(sum.split(' ')[0], createHash('sha256').update(data).digest('hex'));
  });

  test('several commands run at once; each can be read, fed and ended while it runs', async () => {
    const slow = await guest.spawn('echo begun; sleep 60');
    const echo = await guest.spawn(['cat']);
    await slow.waitFor(/begun/);
    echo.write('hello\n');
    await echo.waitFor(/hello/);
    assert.equal(slow.ended, undefined);
    assert.equal((await guest.run(['kill', '-0', String(slow.pid)])).code, 0);
    slow.kill('SIGKILL', 'group');
    assert.equal((await slow.wait()).signal, 9);
    echo.endInput();
    assert.equal((await echo.wait()).code, 0);
  });

  test('a command that exceeds its timeout is killed with the processes that it started', async () => {
    await assert.rejects(
      guest.run('echo first; sleep 4711; true', { timeoutMs: 5000 }),
      /within 5000 ms\nfirst/,
    );
    await guest.check('while ps | grep -q "[s]leep 4711$"; do sleep 0.1; done');
  });

  test('a background child that keeps stdout open does not delay the end of its command', async () => {
    const { stdout } = await guest.run('(sleep 300; echo late) & echo now');
    assert.equal(stdout, 'now\n');
  });

  test('the ports have their names, and bytes pass in both directions through the FIFOs', async () => {
    const names = (await guest.check('ls /dev/virtio-ports')).split('\n');
    for (const name of ['agent-ctl-path', 'trace-path-cpu0', 'trace-path-cpu1'])
      assert.ok(names.includes(name), name);

    const data = randomBytes(3 << 20);
    await guest.writeFile('/tmp/trace', data);
    const trace = await guest.collect(1);
    await guest.check('cat /tmp/trace > /dev/virtio-ports/trace-path-cpu1');
    await trace.waitBytes(data.length);
    assert.equal(Buffer.compare(trace.read(), data), 0);

    await guest.control.listen();
    const agent = await guest.spawn('exec 3<>/dev/virtio-ports/agent-ctl-path; head -n 2 <&3; echo done >&3');
    await guest.control.order('1');
    await guest.control.send('0\n');
    assert.equal(await guest.control.received.line(), 'done');
    await agent.wait();
    assert.equal(agent.stdout, '1\n0\n');
  });

  test('a collector that is paused, closed and reopened loses nothing', async () => {
    const data = randomBytes(8 << 20);
    await guest.writeFile('/tmp/trace', data);
    const trace = await guest.collect(0);
    trace.pause();
    const writer = await guest.spawn('cat /tmp/trace > /dev/virtio-ports/trace-path-cpu0');
    assert.ok((await trace.waitQuiet(300)) < data.length);
    await trace.close();
    await trace.open();
    await trace.waitBytes(1 << 20);
    await trace.close();
    await trace.open();
    assert.equal((await writer.wait()).code, 0);
    await trace.waitBytes(data.length);
    assert.equal(Buffer.compare(trace.read(), data), 0);
  });

  test('each marker is one event, at the requested rate, on the requested CPU', async () => {
    await guest.check('mkdir /sys/kernel/tracing/instances/marks');
    const load = 'markers --cpu 1 --rate 2000 --count 1000 --size 1000 --instance marks --start 5';
    const said: { written: number; seconds: number } = JSON.parse(await guest.check(load));
    assert.equal(said.written, 1000);
    assert.ok(said.seconds > 0.45, `${said.seconds} s`);
    const ring = '/sys/kernel/tracing/instances/marks/per_cpu';
    const stats = await guest.check(`cat ${ring}/cpu1/stats`);
    assert.match(stats, /^entries: 1000$/m);
    assert.match(await guest.check(`cat ${ring}/cpu0/stats`), /^entries: 0$/m);
    const lines = (await guest.check('cat /sys/kernel/tracing/instances/marks/trace')).split('\n');
    const numbers = lines.flatMap((line) => /: m1:(\d+):x{900,}$/.exec(line)?.[1] ?? []).map(Number);
    assert.deepEqual(
      numbers,
      Array.from({ length: 1000 }, (_, index) => index + 5),
    );
  });

  test('a port can be unplugged and plugged in again while the guest runs, and keeps its name', async () => {
    await guest.unplugPort('trace-path-cpu1');
    const link = '/dev/virtio-ports/trace-path-cpu1';
    await guest.check(`while [ -L ${link} ]; do sleep 0.05; done`);
    await guest.plugPort('trace-path-cpu1');
    await guest.check(`until [ -c ${link} ]; do sleep 0.05; done`);
    const trace = await guest.collect(1);
    const before = trace.bytes;
    await guest.check(`echo again > ${link}`);
    await trace.waitBytes(before + 6);
  });

  test('QMP stops and resumes the guest', async () => {
    const status = async () => JSON.stringify(await guest.qmp('query-status'));
    assert.match(await status(), /"status":"running"/);
    await guest.qmp('stop');
    assert.match(await status(), /"status":"paused"/);
    await guest.qmp('cont');
    assert.equal(await guest.check('echo up'), 'up\n');
    await assert.rejects(guest.qmp('no-such-command'), /no-such-command/);
  });

  test('the guest has the agent and what the agent needs, and nothing else', async () => {
    assert.equal(
      await guest.check('cd /opt/virtio-trace && node -e "import(\'koffi\').then(() => console.log(1))"'),
      '1\n',
    );
    assert.equal((await guest.run('ls -d /opt/virtio-trace/node_modules/typescript')).code, 1);
    const manifest: { dependencies: object } = JSON.parse(
      readFileSync(join(repoRoot, 'package.json'), 'utf8'),
    );
    const dependencies = Object.keys(manifest.dependencies);
    const script = dependencies.map((name) => `await import('${name}');`).join('');
    await guest.check(['sh', '-c', 'cd /opt/virtio-trace; exec node --input-type=module -e "$0"', script]);
  });

  test('the guest powers off', async () => {
    await guest.powerOff();
    assert.equal(guest.running, false);
    assert.match(guest.consoleText(), /Power down/);
    await assert.rejects(guest.run('true'), /gone/);
  });
});

describe('a guest restored from a saved state', { timeout: 900_000 }, () => {
  const ticks = {
    command: ['sh', '-c', 'i=0; while :; do i=$((i+1)); echo tick $i; sleep 0.2; done'],
    until: /tick 3\n/,
  };

  test("has the host's time, its own random numbers and files, and a command that continues", async () => {
    const random: string[] = [];
    for (let turn = 0; turn < 2; turn += 1) {
      await using guest = await restoreGuest({ cpus: 2, running: ticks });
      const behind = Date.now() / 1000 - Number(await guest.check('date +%s'));
      assert.ok(behind > -2 && behind < 30, `${behind} s behind its host`);
      random.push(await guest.check('cat /proc/sys/kernel/random/uuid'));
      assert.notEqual((await guest.run('test -e /tmp/mine')).code, 0, 'what another guest wrote');
      await guest.check('touch /tmp/mine');
      const [command] = guest.restored;
      assert.match(command?.stdout ?? '', /^tick 1\ntick 2\ntick 3\n/);
      await command?.waitFor(/tick 3\ntick 4\ntick 5\n/);
      command?.kill('SIGKILL', 'group');
      assert.equal((await command?.wait())?.signal, 9);
    }
    assert.notEqual(random[0], random[1]);
  });

  test('may have sockets where the saved guest had pipes', async () => {
    const ports = tracePorts(2, { chardev: 'socket', controlChardev: 'socket' });
    await using guest = await restoreGuest({ cpus: 2, ports });
    const end = guest.end('trace-path-cpu1');
    await end.listen();
    await guest.check('echo through > /dev/virtio-ports/trace-path-cpu1');
    assert.equal(await end.received.line(), 'through');
  });

  test('is reported as changed when a setting, an instance, a process or a file is left', async () => {
    await using guest = await restoreGuest({ cpus: 2 });
    await assertAsBefore(guest);
    const top = '/sys/kernel/tracing';
    const changes: [change: string, back: string, line: RegExp][] = [
      [`echo 1 > ${top}/events/sched/sched_switch/enable`, `echo > ${top}/set_event`, /set_event:sched:/],
      [`echo mono > ${top}/trace_clock`, `echo global > ${top}/trace_clock`, /trace_clock:.*\[mono\]/],
      [`echo 64 > ${top}/buffer_size_kb`, `echo 1408 > ${top}/buffer_size_kb`, /buffer_size_kb:6[0-9]/],
      [`mkdir ${top}/instances/left`, `rmdir ${top}/instances/left`, /instances\/left/],
      [
        'sleep 4711 >/dev/null 2>&1 & echo $! >/run/left',
        'kill $(cat /run/left); rm /run/left',
        /process: sleep 4711/,
      ],
      ['touch /tmp/left', 'rm /tmp/left', /\/tmp\/left/],
    ];
    for (const [change, back, line] of changes) {
      await guest.check(change);
      await assert.rejects(assertAsBefore(guest, { settledMs: 0 }), line);
      await guest.check(back);
      await assertAsBefore(guest);
    }
  });
});

test('without udev the ports have no names below /dev', { timeout: 300_000 }, async () => {
  await using guest = await restoreGuest({ cpus: 1, udev: false });
  assert.equal((await guest.run('ls /dev/virtio-ports')).code, 1);
  const names = await guest.check('cat /sys/class/virtio-ports/*/name');
  assert.match(names, /^trace-path-cpu0$/m);
});
