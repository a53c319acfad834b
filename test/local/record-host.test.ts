// @alone this machine's tracefs

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';
import { parsedReports, type RunningRecord, startRecord } from '../guest/support/recording.ts';
import { hostProgram, traceHost } from '../guest/support/trace-host.ts';
import { hostSettings } from './harness/host-settings.ts';
import { holdMachine } from './harness/machine-lock.ts';
import { agentSkip } from './harness/skip.ts';
import { until } from './harness/until.ts';

const skip = agentSkip();
const instances = '/sys/kernel/tracing/instances';

function ownInstances(): string[] {
  return readdirSync(instances).filter((name) => /^trace-host-\d+-\d+$/.test(name));
}

/** The process that an instance is named after. */
function agentPid(): number {
  const [name = '', ...more] = ownInstances();
  assert.deepEqual(more, []);
  return Number(name.split('-')[2]);
}

function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return text.split(' ').filter(Boolean).map(Number);
}

function commandOf(pid: number): string {
  return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
}

describe('trace-host record --host', { skip, timeout: 600_000 }, () => {
  holdMachine();
  const work = mkdtempSync(join(tmpdir(), 'virtio-trace-record-host-'));
  const out = join(work, 'trace.dat');
  after(() => rmSync(work, { recursive: true, force: true }));
  beforeEach(() => {
    rmSync(out, { force: true });
    rmSync(`${out}.recording`, { recursive: true, force: true });
  });

  const start = (...args: string[]): RunningRecord =>
    startRecord(work, out, work, ['--host', '-e', 'sched', ...args]);

  /** A recording in which pages have arrived. */
  async function running(...args: string[]): Promise<RunningRecord> {
    const run = start(...args);
    await run.said('recording;');
    await until('pages have arrived', () => sizeOf('cpu0.raw') > 0, 30_000);
    return run;
  }

  const sizeOf = (name: string): number =>
    spawnSync('stat', ['-c', '%s', join(`${out}.recording`, name)], { encoding: 'utf8' }).status === 0
      ? readFileSync(join(`${out}.recording`, name)).length
      : 0;

  /** The number of events in the file. */
  async function readable(): Promise<number> {
    const { code, stdout, stderr } = await traceHost('info', out, '--json');
    assert.equal(code, 0, stderr);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a wrong shape shows in the assertions
    const { buffers } = JSON.parse(stdout) as { buffers: { events: number }[] };
    return buffers[0]?.events ?? 0;
  }

  it('records this host in an instance of its own, and changes no settings', async () => {
    const before = hostSettings();
    const run = start('--duration', '1s', '--json');
    await run.said('recording;');
    assert.equal(ownInstances().length, 1);
    assert.deepEqual(hostSettings({ without: ownInstances() }), before, 'while it records');
    const { code, stdout, stderr } = await run.ended;
    assert.equal(code, 0, stderr);
    const [recorded] = parsedReports(stdout);
    assert.ok(recorded);
    const read = recorded.cpus.reduce((sum, cpu) => sum + (cpu.readEvents ?? 0), 0);
    assert.ok(read > 0);
    assert.equal(recorded.events, read, 'as many as the kernel has counted');
    assert.ok(Object.keys(recorded.eventsByName).every((name) => name.startsWith('sched:')));
    assert.equal(await readable(), read);
    assert.deepEqual(readdirSync(work), ['trace.dat']);
    assert.deepEqual(hostSettings(), before);
  });

  it('keeps the newest data of each CPU with -m, and ends with Ctrl-C', async () => {
    const run = await running('-m', '64');
    // a terminal signals a whole process group, which the agent must not be in
    const stat = readFileSync(`/proc/${agentPid()}/stat`, 'latin1');
    const [, , group, session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    assert.deepEqual([group, session], [String(agentPid()), String(agentPid())]);
    run.child.kill('SIGINT');
    const { code, stderr } = await run.ended;
    assert.equal(code, 0, stderr);
    assert.match(stderr, /interrupted; stopping/);
    assert.ok((await readable()) > 0);
    assert.deepEqual(ownInstances(), []);
  });

  it('a killed worker is restarted, and nothing is lost', async () => {
    const run = await running('--json');
    const workers = childrenOf(agentPid());
    const busy = workers.filter((pid) => commandOf(pid).includes('(CPU '));
    assert.ok(busy.length >= 2, `${busy.length} workers`);
    for (const pid of busy) process.kill(pid, 'SIGKILL');
    const sizes = (): number => sizeOf('cpu0.raw') + sizeOf('cpu1.raw');
    const killedAt = sizes();
    await until('pages arrive again', () => sizes() > killedAt, 30_000);
    run.child.kill('SIGINT');
    const { code, stdout, stderr } = await run.ended;
    assert.equal(code, 0, stderr);
    const [recorded] = parsedReports(stdout);
    const read = recorded?.cpus.reduce((sum, cpu) => sum + (cpu.readEvents ?? 0), 0);
    assert.equal(recorded?.events, read);
  });

  it('kill -9 of trace-host: its agent restores everything, and what was recorded can be converted', async () => {
    const before = hostSettings();
    const run = await running();
    const agent = agentPid();
    run.child.kill('SIGKILL');
    await run.ended;
    await until('the agent has ended', () => !existsSync(`/proc/${agent}`), 30_000);
    assert.deepEqual(hostSettings(), before);
    const converted = await traceHost('convert', `${out}.recording`, '-o', out);
    assert.equal(converted.code, 0, converted.stderr);
    assert.ok((await readable()) > 0);
  });

  it('kill -9 of the agent: the recording ends and keeps its data; the next one removes the instance', async () => {
    const before = hostSettings();
    const run = await running();
    const agent = agentPid();
    process.kill(agent, 'SIGKILL');
    const { code, stderr } = await run.ended;
    assert.equal(code, 5, stderr);
    assert.match(stderr, /the agent of this host has ended/);
    assert.ok((await readable()) > 0);
    const [left] = ownInstances();
    assert.ok(left?.startsWith(`trace-host-${agent}-`));
    rmSync(`${out}.recording`, { recursive: true, force: true });
    const next = await start('--duration', '200ms').ended;
    assert.equal(next.code, 0, next.stderr);
    assert.deepEqual(hostSettings(), before);
  });

  it('leaves the instance of another recording alone', async () => {
    const first = await running();
    const [own] = ownInstances();
    const other = join(work, 'other.dat');
    const second = await startRecord(work, other, work, ['--host', '-e', 'irq', '--duration', '200ms']).ended;
    assert.equal(second.code, 0, second.stderr);
    assert.deepEqual(ownInstances(), [own]);
    first.child.kill('SIGINT');
    const { code, stderr } = await first.ended;
    assert.equal(code, 0, stderr);
    rmSync(other);
  });

  it('runs a command with its own privileges, and stops with it', async () => {
    // the agent must not give its no_new_privs to the command
    const { code, stdout, stderr } = await start('--json', '--', 'cat', '/proc/self/status').ended;
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^NoNewPrivs:\s+0$/m);
    assert.ok(parsedReports(stdout)[0]?.events);
  });

  it('Ctrl-C before it has begun leaves nothing', async () => {
    const before = hostSettings();
    const run = start();
    await run.said('fetching metadata');
    assert.equal(ownInstances().length, 1);
    run.child.kill('SIGINT');
    const { code, stderr } = await run.ended;
    assert.equal(code, 1, stderr);
    assert.match(stderr, /interrupted before the recording began; nothing is kept/);
    assert.deepEqual(readdirSync(work), []);
    assert.deepEqual(hostSettings(), before);
  });

  it('an event that the kernel does not have: nothing is left', async () => {
    const before = hostSettings();
    const { code, stderr } = await start('-e', 'no_such_event').ended;
    assert.equal(code, 1, stderr);
    assert.match(stderr, /this host refuses the order start: .*no_such_event/);
    assert.match(stderr, /see available_events in this host's tracefs/);
    assert.deepEqual(readdirSync(work), []);
    assert.deepEqual(hostSettings(), before);
  });

  for (const [how, ...cap] of [['without a limit'], ['with -m', '-m', '65536']] as const)
    it(`a full disk ends the recording, and keeps what fits, ${how}`, async () => {
      const before = hostSettings();
      const disk = join(work, 'disk');
      mkdirSync(disk);
      // 16 MiB have to remain free
      assert.equal(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=19m', 'tmpfs', disk]).status, 0);
      try {
        const file = join(disk, 'trace.dat');
        const { code, stderr } = await startRecord(work, file, work, ['--host', '-e', 'all', ...cap]).ended;
        assert.ok(code === 1 || code === 5, stderr);
        assert.match(stderr, /this host, CPU \d: the disk is full|the disk of .* is full/);
        assert.deepEqual(hostSettings(), before);
        const converted = await traceHost('convert', `${file}.recording`, '-o', out);
        assert.equal(converted.code, 0, converted.stderr);
        assert.ok((await readable()) > 0);
      } finally {
        assert.equal(spawnSync('umount', [disk]).status, 0);
        rmSync(disk, { recursive: true });
      }
    });

  it('a file that cannot be written any more ends the recording, and keeps what it has', async () => {
    const before = hostSettings();
    const run = [process.execPath, hostProgram, 'record', '--host', '-e', 'all', '-o', out];
    // enough for the metadata
    const child = spawn('prlimit', ['--fsize=3145728', ...run], { stdio: ['ignore', 'ignore', 'pipe'] });
    let stderr = '';
    child.stderr.on('data', (text: Buffer) => {
      stderr += text.toString();
    });
    await new Promise((resolve) => child.once('close', resolve));
    assert.match(stderr, /this host, CPU \d: cannot write the raw file \(EFBIG\)/);
    assert.deepEqual(ownInstances(), []);
    assert.deepEqual(hostSettings(), before);
    const sizes = [sizeOf('cpu0.raw'), sizeOf('cpu1.raw')];
    assert.equal(Math.max(...sizes), 3_145_728);
    const converted = await traceHost('convert', `${out}.recording`, '-o', out);
    assert.equal(converted.code, 0, converted.stderr);
    assert.ok((await readable()) > 0);
  });

  it('without access to tracefs, it says so, and how to trace guests only', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'virtio-trace-record-nobody-'));
    chmodSync(dir, 0o777);
    try {
      const user = ['--reuid=65534', '--regid=65534', '--clear-groups'];
      const run = [
        process.execPath,
        hostProgram,
        'record',
        '--host',
        '-e',
        'sched',
        '-o',
        join(dir, 't.dat'),
      ];
      const child = spawn('setpriv', [...user, ...run], { stdio: ['ignore', 'ignore', 'pipe'] });
      let stderr = '';
      child.stderr.on('data', (text: Buffer) => {
        stderr += text.toString();
      });
      const code = await new Promise((resolve) => child.once('close', resolve));
      assert.equal(code, 4, stderr);
      assert.match(stderr, /this host: .*tracefs|this host: cannot/);
      assert.match(stderr, /put the options after -A/);
      assert.deepEqual(readdirSync(dir), []);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});
