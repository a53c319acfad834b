import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { lookUpUser } from '../../src/native/process/user.ts';
import { bootGuest, type Guest, restoreGuest, tracePorts } from './harness/index.ts';
import { moduleBytes } from './harness/image.ts';
import { debianKernel, pvpanicModules } from './harness/kernel.ts';
import { tool } from './harness/tool.ts';
import { GuestAgent, load } from './support/agent.ts';
import { assertOnly, doctorInGuest, doctorOnHost, faultsIn } from './support/doctor.ts';
import { parsedReports, startRecord } from './support/recording.ts';
import { hostProgram, traceHost } from './support/trace-host.ts';

const patient = ['--timeout', '20s'];

function scratchDir(context: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'virtio-trace-doctor-'));
  context.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

function portsOf(guest: Guest): string {
  return dirname(guest.port('agent-ctl-path').path);
}

function recordBriefly(dir: string, out: string) {
  const what = ['-e', 'sched:sched_switch', '--duration', '500ms', '-o', out];
  return traceHost('record', '--dir', dir, ...patient, ...what, '--json');
}

/** Asserts that `status` and `record` end with this code, and print the same as doctor. */
async function assertSaid(context: TestContext, dir: string, said: string, timeout = '3s'): Promise<void> {
  const line = `trace-host: ${said}\n`;
  const status = await traceHost('status', '--dir', dir, '--timeout', timeout);
  assert.deepEqual([status.code, status.stderr.includes(line)], [3, true], `${status.stderr}\n${line}`);
  const out = join(scratchDir(context), 'trace.dat');
  const record = await traceHost('record', '--dir', dir, '--timeout', timeout, '-o', out);
  assert.deepEqual([record.code, record.stderr.includes(line)], [3, true], `${record.stderr}\n${line}`);
  assert.equal(existsSync(out), false);
}

/** Executes a remedy, up to its first semicolon, like a shell. */
async function obey(said: string | undefined): Promise<void> {
  const command = / — [^:]*: trace-host ([^;]*)/.exec(said ?? '')?.[1] ?? assert.fail(said);
  const { code, stderr } = await traceHost(...command.split(' '));
  assert.equal(code, 0, stderr);
}

async function untilQemuSays(guest: Guest, state: string): Promise<void> {
  while (!JSON.stringify(await guest.qmp('query-status')).includes(`"${state}"`)) await sleep(20);
}

/** Checks with trace-host, because doctor would report another reader of the control port as a fault. */
async function untilCpuIs(dir: string, cpu: number, state: string): Promise<void> {
  for (;;) {
    const { stdout } = await traceHost('status', '--dir', dir, ...patient, '--json');
    const { cpus }: { cpus: Record<string, { state: string }> } = JSON.parse(stdout);
    if (cpus[cpu]?.state === state) return;
    await sleep(100);
  }
}

/** Runs a script in its own mount namespace, in which systemd seems to run and has only this tmpfiles rule. */
function withTmpfilesRule(rule: string, script: string) {
  const make = 'mount -t tmpfs none /run && mkdir -p /run/systemd/system /run/tmpfiles.d';
  const command = `${make} && echo "$0" > /run/tmpfiles.d/rule.conf && ${script}`;
  return spawnSync('unshare', ['-m', 'sh', '-c', command, rule], { encoding: 'utf8' });
}

const isRoot = process.getuid?.() === 0;

describe('trace-host doctor', { timeout: 900_000 }, () => {
  test('names a guest that is paused, a QEMU that is stopped, and a silent agent', async (context) => {
    await using guest = await restoreGuest({ cpus: 2, monitor: true, running: GuestAgent.running() });
    const dir = portsOf(guest);
    assert.deepEqual(await doctorOnHost(dir), {});

    await guest.qmp('stop');
    const paused = await doctorOnHost(dir);
    assertOnly(paused, 'guest', /is paused \(QEMU pid \d+ says paused\) — resume it: cont in its QMP/);
    await assertSaid(context, dir, paused['guest'] ?? '');
    await guest.qmp('cont');
    assert.deepEqual(await doctorOnHost(dir), {});

    process.kill(guest.qemuPid, 'SIGSTOP');
    const still = await doctorOnHost(dir);
    assertOnly(
      still,
      'guest',
      /is not running: its QEMU \(pid \d+\) is stopped by a signal .* kill -CONT \d+$/,
    );
    await assertSaid(context, dir, still['guest'] ?? '');
    process.kill(guest.qemuPid, 'SIGCONT');
    assert.deepEqual(await doctorOnHost(dir), {});

    await guest.check(['kill', '-STOP', String(GuestAgent.of(guest).process.pid)]);
    const silent = await doctorOnHost(dir, '--timeout', '3s');
    assertOnly(silent, 'agent', /does not answer within 3 s — check that trace-agent runs there/);
    await assertSaid(context, dir, silent['agent'] ?? '');
  });

  test('names a guest that has panicked, and the remedy lets it run again', async (context) => {
    const kernel = debianKernel();
    const qemuArgs = ['-device', 'pvpanic', '-action', 'panic=pause,reboot=reset'];
    await using guest = await bootGuest({
      cpus: 2,
      kernel,
      monitor: true,
      appendKernel: 'panic=0',
      qemuArgs,
    });
    for (const path of pvpanicModules(kernel)) {
      await guest.writeFile('/tmp/pvpanic.ko', moduleBytes(path));
      await guest.check('insmod /tmp/pvpanic.ko');
    }
    const dir = portsOf(guest);
    await GuestAgent.start(guest);
    assert.deepEqual(await doctorOnHost(dir), {});
    await guest.spawn('echo c > /proc/sysrq-trigger');
    await untilQemuSays(guest, 'guest-panicked');
    const panicked = await doctorOnHost(dir);
    assertOnly(panicked, 'guest', /has panicked: .*says guest-panicked\) — .*: system_reset, then cont, in/);
    await assertSaid(context, dir, panicked['guest'] ?? '');

    await guest.qmp('system_reset');
    await untilQemuSays(guest, 'prelaunch');
    assertOnly(await doctorOnHost(dir), 'guest', /has not started running/);
    await guest.qmp('cont');
    await untilQemuSays(guest, 'running');
    assertOnly(await doctorOnHost(dir, '--timeout', '1s'), 'agent', /does not answer within 1 s/);
  });

  test('names a FIFO that was removed, and the remedy gives the guest a new one', async (context) => {
    await using guest = await restoreGuest({ cpus: 2, monitor: true, running: GuestAgent.running() });
    const dir = portsOf(guest);
    rmSync(join(dir, 'trace-path-cpu1.out'));
    const removed = await doctorOnHost(dir);
    assertOnly(
      removed,
      'ports',
      /QEMU \(pid \d+\) has trace-path-cpu1\.out open, removed from .* — attach new/,
    );
    const status = await traceHost('status', '--dir', dir, ...patient);
    assert.equal(status.code, 0);
    assert.ok(status.stderr.includes(`trace-host: ${removed['ports']}\n`), status.stderr);
    const record = await recordBriefly(dir, join(scratchDir(context), 'trace.dat'));
    assert.equal(record.code, 3);
    assert.ok(record.stderr.includes(`trace-host: ${removed['ports']}\n`), record.stderr);
    // only new FIFOs are not connected to anything
    tool('mkfifo', [join(dir, 'trace-path-cpu1.out')]);
    assert.deepEqual(await doctorOnHost(dir), removed);

    await obey(removed['ports']);
    assert.deepEqual(await doctorOnHost(dir), {});
    const whole = await recordBriefly(dir, join(scratchDir(context), 'trace.dat'));
    assert.equal(whole.code, 0, whole.stderr);
    const cpus = parsedReports(whole.stdout)[0]?.cpus ?? [];
    assert.deepEqual(
      cpus.map(({ cpu }) => cpu),
      [0, 1],
    );
  });

  test('names sockets that were removed, and the remedy gives the guest new ones', async () => {
    const ports = ['agent-ctl-path', 'trace-path-cpu0'].map((name) => ({ name, chardev: 'socket' as const }));
    await using guest = await restoreGuest({ cpus: 1, ports, monitor: true, running: GuestAgent.running() });
    const dir = portsOf(guest).replace(/\.socket$/, '');
    assert.deepEqual(await doctorOnHost(dir), {});
    for (const { path } of guest.ports) rmSync(path);
    const removed = await doctorOnHost(dir);
    assertOnly(
      removed,
      'directory',
      /has agent-ctl-path\.socket, trace-path-cpu0\.socket open, removed from/,
    );
    await obey(removed['directory']?.replace('--apply', '--chardev socket --apply'));
    assert.deepEqual(await doctorOnHost(dir), {});
  });

  test('names FIFOs that systemd-tmpfiles removed, and the rule before it did', {
    skip: isRoot && existsSync('/usr/bin/systemd-tmpfiles') ? false : 'root and systemd are needed',
  }, async (context) => {
    await using guest = await restoreGuest({ cpus: 2, monitor: true, running: GuestAgent.running() });
    const dir = portsOf(guest);
    const clean = `systemd-tmpfiles --clean --prefix=${dir}`;
    const rule = `e ${dir} 0700 root root 1s`;
    const doctor = `${process.execPath} ${hostProgram} doctor --dir`;

    const other = join(scratchDir(context), 'idle');
    const idleRule = `e ${other} 0700 root root 1s`;
    assert.equal((await traceHost('setup', '--dir', other, '--cpus', '1', '--format', 'json')).code, 0);
    chmodSync(join(other, 'trace-path-cpu0.in'), 0o600);
    const before = faultsIn(withTmpfilesRule(idleRule, `${doctor} ${other} --json`).stdout);
    assert.match(
      before['tmpfiles'] ?? '',
      /rule\.conf lets systemd-tmpfiles remove trace-path-cpu0\.in from .* after 1s: e .* — set the sticky bit/,
    );
    await obey(before['tmpfiles']);
    const after = withTmpfilesRule(idleRule, `${doctor} ${other} --json`).stdout;
    assert.deepEqual(Object.keys(faultsIn(after)), ['qemu'], 'nobody has these ports');
    assert.match(after, /rule\.conf cleans the directory after 1s, but the sticky bit protects all files/);

    const control = join(dir, 'agent-ctl-path.in');
    for (; existsSync(control); await sleep(100)) {
      const { status, stderr } = withTmpfilesRule(rule, clean);
      assert.equal(status, 0, stderr);
    }
    const removed = await doctorOnHost(dir);
    assertOnly(
      removed,
      'directory',
      /has agent-ctl-path\.in, agent-ctl-path\.out, trace-path-cpu0\.out, t.* open, removed from/,
    );
    await assertSaid(context, dir, removed['directory'] ?? '');
    await obey(removed['directory']);
    assert.deepEqual(await doctorOnHost(dir), {});
    // trace-host has marked these files
    await sleep(1100);
    assert.equal(withTmpfilesRule(rule, clean).status, 0);
    assert.deepEqual(await doctorOnHost(dir), {});
  });

  test('names a reader that takes pages away, and who gives orders', async (context) => {
    await using guest = await restoreGuest({ cpus: 2, running: GuestAgent.running() });
    const dir = portsOf(guest);
    const reader = spawn('cat', [join(dir, 'trace-path-cpu0.out')], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    context.after(() => reader.kill());
    let stranger = await doctorOnHost(dir);
    // until the process has started and opened the FIFO
    while (Object.keys(stranger).length === 0) stranger = await doctorOnHost(dir);
    assertOnly(
      stranger,
      'readers',
      /cat trace-path-cpu0\.out \(pid \d+\) has .* open and .* — end it .*kill \d+$/,
    );
    reader.kill();
    await once(reader, 'exit');
    assert.deepEqual(await doctorOnHost(dir), {});

    const work = scratchDir(context);
    const recording = startRecord(dir, join(work, 'trace.dat'), work, ['-e', 'sched:sched_switch', '--json']);
    await recording.said('recording;');
    const { stdout } = await traceHost('doctor', '--dir', dir, '--json');
    assert.deepEqual(faultsIn(stdout), {}, 'a recording is no fault');
    assert.match(stdout, /trace-host\.js \(pid \d+\) uses the control port/);
    const second = await traceHost('status', '--dir', dir);
    assert.equal(second.code, 1);
    assert.match(
      second.stderr,
      /another trace-host \(pid \d+\) is using the control port .* end it: kill -INT \d+\n/,
    );
    process.kill(Number(/kill -INT (\d+)/.exec(second.stderr)?.[1]), 'SIGINT');
    const { code, stderr } = await recording.ended;
    assert.equal(code, 0, stderr);
  });

  test('names a CPU whose pages go where trace-host does not look', async (context) => {
    const ports = tracePorts(2).map((port) =>
      port.name === 'trace-path-cpu1' ? { ...port, chardev: 'socket' as const } : port,
    );
    await using guest = await restoreGuest({ cpus: 2, ports, running: GuestAgent.running() });
    const dir = portsOf(guest);
    const elsewhere = connect(guest.port('trace-path-cpu1').path).resume();
    context.after(() => elsewhere.destroy());
    await once(elsewhere, 'connect');
    assertOnly(await doctorOnHost(dir), 'cpus', /CPU 1 of the guest has no port — run trace-/);
    const work = scratchDir(context);
    const recording = startRecord(dir, join(work, 'trace.dat'), work, []);
    await recording.said('recording;');
    await load(guest, [0, 1], { rate: 0, count: 50 });
    recording.child.kill('SIGINT');
    const { code, stderr } = await recording.ended;
    assert.equal(code, 5, stderr);
    assert.match(
      stderr,
      /, CPU 1: \d+ bytes were sent to a port that has no file in .* — run trace-host doctor/,
    );
  });

  test('names a disk that is full, a directory that is none, and one that is closed to this user', async (context) => {
    const none = join(scratchDir(context), 'none');
    assertOnly(
      await doctorOnHost(none),
      'directory',
      /directory .* does not exist — create it with trace-host setup/,
    );
    const dir = join(scratchDir(context), 'ports');
    await traceHost('setup', '--dir', dir, '--cpus', '1', '--format', 'json');
    if (!isRoot) return;
    const small = `mount -t tmpfs -o size=8m none /mnt && cd /mnt && exec "$@"`;
    const words = [process.execPath, hostProgram, 'doctor', '--dir', dir, '--json'];
    const full = spawnSync('unshare', ['-m', 'sh', '-c', small, 'sh', ...words], { encoding: 'utf8' });
    assert.equal(full.status, 1, full.stderr);
    assert.match(
      faultsIn(full.stdout)['disk'] ?? '',
      /^\/mnt, where recordings go, has 8 MiB free — free space, record with -o FILE on another disk, or .* -m$/,
    );
    chmodSync(dirname(dir), 0o755);
    const [program = '', ...args] = words;
    const nobody = spawnSync(program, args, { encoding: 'utf8', cwd: '/', ...lookUpUser('nobody') });
    // only if user nobody can access the checkout
    if (nobody.status === 1 && nobody.stdout !== '') {
      const faults = faultsIn(nobody.stdout);
      assert.match(
        faults['directory'] ?? '',
        /cannot read \S+: permission denied — run as its owner, or give/,
      );
      assert.match(faults['disk'] ?? '', /^\/, where recordings go, is not writable \(EACCES\) — run it in/);
    }
  });

  test('names an agent of another version, a CPU that was given up, and one without its port', async () => {
    await using guest = await restoreGuest({ cpus: 2 });
    const dir = portsOf(guest);
    assertOnly(await doctorOnHost(dir, '--timeout', '3s'), 'agent', /does not answer within 3 s/);
    await guest.check(`sed -i 's/"version": "[^"]*"/"version": "0.0.9"/' /opt/virtio-trace/package.json`);
    const agent = await GuestAgent.start(guest, '--max-restarts', '0');
    const older = await doctorOnHost(dir);
    assertOnly(
      older,
      'version',
      /^version mismatch: trace-agent 0\.0\.9, trace-host \S+ — install the same version/,
    );

    await guest.unplugPort('trace-path-cpu0');
    const started = await traceHost('start', '--dir', dir, ...patient);
    assert.equal(started.code, 0, started.stderr);
    // an idle worker does not check its port
    await load(guest, [0], { rate: 0, count: 100 });
    await untilCpuIs(dir, 0, 'waiting');
    const waiting = await doctorOnHost(dir);
    assert.match(
      waiting['cpus'] ?? '',
      /^CPU 0 is waiting: .*trace-path-cpu0.* — run trace-agent doctor in the guest$/,
    );
    assert.match(
      (await doctorInGuest(guest))['ports'] ?? '',
      /1 of 2 CPUs have no port, the first is trace-/,
    );

    const worker = (await agent.workers()).get(1);
    assert.ok(worker !== undefined);
    await guest.check(['kill', '-KILL', String(worker)]);
    await agent.waitSaid('worker keeps crashing: given up', 1);
    await guest.plugPort('trace-path-cpu0');
    await untilCpuIs(dir, 0, 'running');
    const given = await doctorOnHost(dir);
    assert.deepEqual(Object.keys(given), ['version', 'cpus']);
    assert.match(
      given['cpus'] ?? '',
      /^CPU 1 is no longer traced: its worker kept crashing — see the agent's log for the reason, and start/,
    );
  });

  test('names a kernel that is locked down while the agent runs', async (context) => {
    await using guest = await restoreGuest({ cpus: 2, running: GuestAgent.running() });
    const dir = portsOf(guest);
    await guest.check('mount -t securityfs none /sys/kernel/security');
    await guest.check('echo confidentiality > /sys/kernel/security/lockdown');
    assertOnly(
      await doctorInGuest(guest),
      'lockdown',
      /^the kernel is locked down \(confidentiality\), which/,
    );
    assertOnly(
      await doctorOnHost(dir),
      'rings',
      /cannot read the statistics of any of the guest's ring buffers — run trace-agent doctor/,
    );
    const record = await recordBriefly(dir, join(scratchDir(context), 'trace.dat'));
    assert.equal(record.code, 1);
    assert.match(
      record.stderr,
      /refuses the order metadata: the kernel is locked down \(confidentiality\), which/,
    );
    const start = await traceHost('start', '--dir', dir, ...patient);
    assert.equal(start.code, 1);
    assert.match(
      start.stderr,
      /refuses the order start: the kernel is locked down \(confidentiality\), which/,
    );
  });
});
