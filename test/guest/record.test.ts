import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { restoreGuest } from './harness/index.ts';
import type { Guest } from './harness/index.ts';
import { census } from './harness/census.ts';
import { assertAsBefore } from './support/as-before.ts';
import { GuestAgent } from './support/agent.ts';
import { parsedReports, type Recorded, reportLines, startRecord } from './support/recording.ts';
import { longTest } from '../set.ts';
import { hostProgram, traceHost } from './support/trace-host.ts';

/** Work for a guest that takes a moment. */
const busyWork = 'ls -lR /sys/class > /dev/null';

describe('trace-host record', { timeout: 1_800_000 }, () => {
  let guest: Guest;
  let agent: GuestAgent;
  let portsDir: string;
  let censusBefore: readonly string[];
  const work = mkdtempSync(join(tmpdir(), 'virtio-trace-record-'));
  const out = join(work, 'trace.dat');

  before(async () => {
    guest = await restoreGuest({ cpus: 2, running: GuestAgent.running() });
    portsDir = dirname(guest.port('agent-ctl-path').path);
    agent = GuestAgent.of(guest);
    // otherwise a tracer of an instance leaves the top level's rings at their initial size (kernel-facts.md, 56)
    const event = '/sys/kernel/tracing/events/sched/sched_process_hang/enable';
    await guest.check(`echo 1 > ${event}; echo 0 > ${event}`);
    censusBefore = await census(guest);
  });

  // the limit of saved task names is restored when the agent ends
  afterEach(() => assertAsBefore(guest, { before: censusBefore, but: /^saved_cmdlines_size:/ }));

  after(async () => {
    await guest.close();
    rmSync(work, { recursive: true, force: true });
  });

  const start = (args: readonly string[]) => startRecord(portsDir, out, work, args);

  async function record(...args: string[]): Promise<Recorded> {
    const busy = await guest.spawn(`while :; do ${busyWork}; done`);
    const { code, stdout, stderr } = await start(['--json', ...args]).ended;
    busy.kill('SIGKILL', 'group');
    await busy.wait();
    assert.equal(code, 0, stderr);
    const [recorded] = parsedReports(stdout);
    assert.ok(recorded);
    assert.ok(existsSync(out));
    assert.ok(!existsSync(`${out}.recording`), 'the directory has become the file');
    return recorded;
  }

  const report = (...args: string[]) => reportLines(out, ...args);

  test('events: trace-cmd reads as many as the guest counts as read, with all names resolved', async () => {
    const recorded = await record('-e', 'sched', '-e', 'irq', '--duration', '3s');
    const lines = report();
    const read = recorded.cpus.reduce((sum, cpu) => sum + (cpu.readEvents ?? 0), 0);
    assert.ok(read > 100, `${read} events`);
    assert.equal(recorded.events, read);
    assert.equal(lines.length, read);
    // if two CPUs save a name at the same time, the kernel saves one, and the other when its task is next scheduled
    const saved = await guest.check('cat /sys/kernel/tracing/saved_cmdlines');
    const known = new Set(saved.split('\n').map((line) => line.split(' ')[0]));
    const nameless = lines.filter((line) => line.includes('<...>'));
    assert.deepEqual(
      nameless.filter((line) => known.has(/<\.\.\.>-(\d+)/.exec(line)?.[1])),
      [],
      'no task is without its name, if the kernel has it',
    );
    assert.ok(nameless.length < lines.length / 20, nameless[0]);
    const names = Object.keys(recorded.eventsByName);
    assert.ok(names.includes('sched:sched_switch') && names.includes('irq:softirq_entry'), String(names));
    assert.ok(
      names.every((name) => /^(sched|irq):/.test(name)),
      String(names),
    );
  });

  longTest('filters, excluded events, patterns and a clock', async () => {
    const filter = ['-f', 'prev_comm != "swapper/0"'];
    const recorded = await record(
      '-e',
      'sched_switc*',
      ...filter,
      '-e',
      'irq',
      '-v',
      '-e',
      'irq:softirq_*',
      '-C',
      'boot',
      '--',
      'sleep',
      '2',
    );
    const lines = report();
    assert.equal(lines.length, recorded.events);
    assert.ok((recorded.eventsByName['sched:sched_switch'] ?? 0) > 0);
    assert.ok(!lines.some((line) => /prev_comm=swapper\/0|sched_switch:\s+swapper\/0:/.test(line)));
    assert.ok(!Object.keys(recorded.eventsByName).some((name) => name.startsWith('irq:softirq')));
  });

  longTest('a tracer, with resolved symbols; version 6 and zstd', async () => {
    for (const format of [['--v6'], ['--compress', 'zstd']]) {
      const recorded = await record('-p', 'function', '-l', 'vfs_*', '--duration', '2s', ...format);
      const lines = report();
      assert.ok(recorded.events > 0);
      assert.equal(lines.length, recorded.events);
      assert.ok(
        lines.every((line) => /function:\s+vfs_/.test(line)),
        lines[0],
      );
    }
  });

  test("an overrun is reported with the kernel's count, here and by trace-cmd", async () => {
    const recording = start(['--json', '-e', 'sched', '-b', '8', '--timeout', '10m']);
    await recording.said('recording;');
    // while nobody reads, the small rings overrun
    recording.child.kill('SIGSTOP');
    const stats = '/sys/kernel/tracing/instances/*/per_cpu/cpu*/stats';
    await guest.check(`until grep -q '^overrun: [1-9]' ${stats}; do ${busyWork}; done`, {
      timeoutMs: 300_000,
    });
    recording.child.kill('SIGCONT');
    recording.child.kill('SIGINT');
    const { code, stdout, stderr } = await recording.ended;
    assert.equal(code, 0, stderr);
    const [recorded] = parsedReports(stdout);
    assert.ok(recorded);
    const overrun = recorded.cpus.reduce((sum, cpu) => sum + cpu.overrun, 0);
    assert.ok(overrun > 0, 'the rings of 8 KB have overrun');
    const text = spawnSync('trace-cmd', ['report', '-i', out], {
      encoding: 'utf8',
      maxBuffer: 1 << 30,
    }).stdout;
    const told = [...text.matchAll(/\[(\d+) EVENTS DROPPED\]/g)].reduce(
      (sum, [, count]) => sum + Number(count),
      0,
    );
    assert.equal(String(told), recorded.lostEvents, 'trace-cmd tells the same');
    // a page that is full to its last 8 bytes is marked with a loss, but has no room for the count
    if (recorded.uncountedLosses === 0) assert.equal(told, overrun);
    else assert.ok(told < overrun);
  });

  test('Ctrl-C stops and writes the file; after a kill, convert creates a file from what is left', async () => {
    const recording = start(['-e', 'sched']);
    await recording.said('recording;');
    await sleep(1500);
    recording.child.kill('SIGINT');
    const ended = await recording.ended;
    assert.equal(ended.code, 0, ended.stderr);
    assert.match(ended.stdout, /trace\.dat: the guest in .*, 2 CPUs, \d+ events in \d+ pages/);

    rmSync(out);
    const killed = start(['-e', 'sched']);
    await killed.said('recording;');
    const raw = [0, 1].map((cpu) => join(`${out}.recording`, `cpu${cpu}.raw`));
    for (const path of raw) while (statSync(path).size === 0) await sleep(50);
    killed.child.kill('SIGKILL');
    await killed.ended;
    assert.ok(existsSync(`${out}.recording`));
    const refused = await start(['-e', 'sched']).ended;
    assert.equal(refused.code, 1, refused.stderr);
    assert.match(refused.stderr, /trace\.dat\.recording already exists: .*trace-host convert/s);
    const again = await start(['-o', join(work, 'other.dat'), '-e', 'sched', '--duration', '1s']).ended;
    assert.equal(again.code, 1, again.stderr);
    assert.match(again.stderr, /is already tracing .*trace-host stop/);
    await agent.order0();
    const converted = spawnSync(process.execPath, [hostProgram, 'convert', `${out}.recording`, '-o', out], {
      encoding: 'utf8',
    });
    assert.equal(converted.status, 0, converted.stderr);
    report();
    rmSync(`${out}.recording`, { recursive: true });
  });

  test('a request that the guest refuses leaves nothing behind', async () => {
    rmSync(out, { force: true });
    const { code, stderr } = await start(['-e', 'sched:sched_swich', '--duration', '1s']).ended;
    assert.equal(code, 1, stderr);
    assert.match(stderr, /sched_swich.*did you mean sched:sched_switch\?/);
    assert.ok(!existsSync(out) && !existsSync(`${out}.recording`));
  });

  const infoOf = async (): Promise<string> => {
    const { code, stdout, stderr } = await traceHost('info', out);
    assert.equal(code, 0, stderr);
    return stdout;
  };

  test('a marker is recorded at the top level; for another instance, a note says that this kernel omits it', async () => {
    const tracing = '/sys/kernel/tracing';
    for (const [instance, isIn] of [
      [['-B', 'top'], true],
      [[], (await guest.run(`test -e ${tracing}/options/copy_trace_marker`)).code === 0],
    ] as const) {
      const recording = start(['--json', '-e', 'sched:sched_process_exec', ...instance]);
      await recording.said('recording;');
      await guest.check(`echo a marker > ${tracing}/trace_marker`);
      recording.child.kill('SIGINT');
      const { code, stdout, stderr } = await recording.ended;
      assert.equal(code, 0, stderr);
      const [recorded] = parsedReports(stdout);
      assert.equal(recorded?.eventsByName['ftrace:print'], isIn ? 1 : undefined);
      assert.equal(stderr.split('does not include writes to trace_marker').length, isIn ? 1 : 2, stderr);
      assert.equal(recorded?.unseen?.includes('trace_marker'), !isIn);
      assert.equal(/^not in it .*trace_marker/m.test(await infoOf()), !isIn);
      assert.equal(report().filter((line) => line.includes('a marker')).length, isIn ? 1 : 0);
    }
    await guest.check(`: > ${tracing}/trace`);
  });

  test('functions have names although kptr_restrict is 2, unless it cannot be lowered; it is 2 again afterwards', async () => {
    const file = '/proc/sys/kernel/kptr_restrict';
    const old = await guest.check(`cat ${file}; echo 2 > ${file}`);
    // as in a container
    await guest.check(`mount --bind ${file} ${file} && mount -o remount,ro,bind ${file}`);
    const hidden = await start(['--json', '-p', 'function', '-l', 'vfs_read', '--duration', '1s']).ended;
    await guest.check(`umount ${file}`);
    assert.equal(hidden.code, 0, hidden.stderr);
    assert.equal(parsedReports(hidden.stdout)[0]?.symbols, 'hidden');
    assert.equal(hidden.stderr.split('functions have no names').length, 2, hidden.stderr);
    assert.match(await infoOf(), /^symbols .*metadata contains no symbols/m);

    const recorded = await record('-p', 'function', '-l', 'vfs_read', '--duration', '1s');
    assert.equal(recorded.symbols, 'shown', 'what was hidden is not kept');
    const lines = report();
    assert.ok(lines.length > 0);
    assert.deepEqual(
      lines.filter((line) => !/function:\s+vfs_read/.test(line)),
      [],
    );
    assert.equal((await guest.check(`cat ${file}; echo ${old.trim()} > ${file}`)).trim(), '2');
  });

  longTest('an existing file is only replaced by a complete one', async () => {
    writeFileSync(out, 'precious');
    const recording = start(['-e', 'sched']);
    await recording.said('recording;');
    assert.equal(readFileSync(out, 'utf8'), 'precious');
    recording.child.kill('SIGINT');
    assert.equal((await recording.ended).code, 0);
    report();
  });
});
