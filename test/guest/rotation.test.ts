// @alone this machine's tracefs

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openTrace } from '../../src/trace/open.ts';
import { openSession } from '../../src/trace/session.ts';
import { hostSettings } from '../local/harness/host-settings.ts';
import { holdMachine } from '../local/harness/machine-lock.ts';
import { agentSkip } from '../local/harness/skip.ts';
import { census } from './harness/census.ts';
import type { Guest } from './harness/index.ts';
import { restoreGuest } from './harness/index.ts';
import { GuestAgent, load } from './support/agent.ts';
import { assertAsBefore } from './support/as-before.ts';
import { parsedReports, type Recorded, reportLines, startRecord } from './support/recording.ts';
import { hostProgram, traceHost } from './support/trace-host.ts';

const skip = agentSkip();
const cpus = [0, 1];

interface Report extends Recorded {
  readonly set: number;
  readonly host: boolean;
  readonly failures: readonly object[];
}

/** A list of reports for each set. */
function setsOf(lines: readonly string[]): Report[][] {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a wrong shape shows in the assertions
  return lines.map((line) => parsedReports(line) as Report[]);
}

/** The numbers of the markers in a file by CPU, in order. */
async function numbersOf(path: string): Promise<ReadonlyMap<number, readonly number[]>> {
  const numbers = new Map<number, number[]>();
  const trace = await openTrace(path);
  try {
    for await (const batch of trace.events({ events: ['ftrace:print'] }))
      for (const event of batch) {
        const [, cpu, number] = /^m(\d+):(\d+):/.exec(String(event.get('buf'))) ?? [];
        if (number === undefined) continue;
        assert.equal(Number(cpu), event.cpu);
        numbers.set(event.cpu, [...(numbers.get(event.cpu) ?? []), Number(number)]);
      }
  } finally {
    await trace.close();
  }
  return numbers;
}

describe('trace-host record --rotate', { skip, timeout: 1_800_000 }, () => {
  holdMachine();
  let guest: Guest;
  let name: string;
  let dir: string;
  let censusBefore: readonly string[];
  const work = mkdtempSync(join(tmpdir(), 'virtio-trace-rotation-'));
  const out = join(work, 's.dat');

  before(async () => {
    guest = await restoreGuest({ cpus: 2, monitor: true, running: GuestAgent.running() });
    const portsDir = dirname(guest.port('agent-ctl-path').path);
    [name, dir] = [basename(portsDir), dirname(portsDir)];
    const event = '/sys/kernel/tracing/events/sched/sched_process_hang/enable';
    await guest.check(`echo 1 > ${event}; echo 0 > ${event}`);
    censusBefore = await census(guest);
  });
  let isDead = false;
  afterEach(async () => {
    for (const file of readdirSync(work)) rmSync(join(work, file), { recursive: true });
    if (!isDead) await assertAsBefore(guest, { before: censusBefore, but: /^saved_cmdlines_size:/ });
  });
  after(async () => {
    await guest.close();
    rmSync(work, { recursive: true, force: true });
  });

  const start = (...args: readonly string[]) => startRecord(dir, out, work, args);

  test('under load: each marker is in one file, once, and trace-cmd reads all that the kernel counted', async () => {
    const options = ['-B', 'top', '-e', 'sched', '-e', 'irq', '-b', '8192'];
    const run = start('-A', name, ...options, '--rotate', '2M', '--json');
    await run.said('recording;');
    // how much is in a set depends on how fast the guest sends names between two
    let count = 0;
    for (; count < 20_000 || (run.lines().length < 3 && count < 400_000); count += 5000)
      await load(guest, cpus, { rate: 2000, count: 5000, size: 300, start: count + 1 });
    run.child.kill('SIGINT');
    const { code, stderr } = await run.ended;
    // the kernel's count of read events equals that in all files, or the code would be 5
    assert.equal(code, 0, stderr);
    const sets = setsOf(run.lines());
    assert.ok(sets.length >= 4, `${sets.length} sets`);
    const all = new Map(cpus.map((cpu): [number, number[]] => [cpu, []]));
    let overrun = 0;
    for (const [report] of sets) {
      assert.ok(report);
      overrun += report.cpus.reduce((sum, cpu) => sum + cpu.overrun, 0);
      assert.equal(reportLines(report.file).length, report.events);
      for (const [cpu, numbers] of await numbersOf(report.file)) all.get(cpu)?.push(...numbers);
    }
    assert.equal(overrun, 0, 'nothing was overwritten');
    const wanted = Array.from({ length: count }, (_, index) => index + 1);
    for (const [cpu, numbers] of all) assert.deepEqual(numbers, wanted, `CPU ${cpu}`);
    assert.deepEqual(
      readdirSync(work).sort(),
      sets.map(([report]) => basename(report!.file)),
    );
    await guest.check(': > /sys/kernel/tracing/trace');
  });

  test('a task that begins later has its name in each file', async () => {
    const run = start('-A', name, '-e', 'raw_syscalls', '--rotate', '2s', '--json');
    await run.said('recording;');
    const seen: string[] = [];
    for (let turn = 1; turn <= 4 || run.lines().length < 2; turn++) {
      const program = `late-${turn}`;
      seen.push(program);
      // it names itself, since it has no file of its own
      const task = await guest.spawn(
        `echo ${program} > /proc/$$/comm; while :; do read x < /proc/uptime; done`,
      );
      await sleep(2000);
      task.kill('SIGKILL', 'group');
      await task.wait();
    }
    run.child.kill('SIGINT');
    const { code, stderr } = await run.ended;
    assert.equal(code, 0, stderr);
    const files = setsOf(run.lines()).map(([report]) => report!.file);
    assert.ok(files.length >= 3);
    for (const file of files) {
      const lines = reportLines(file);
      const nameless = lines.filter((line) => line.includes('<...>'));
      assert.ok(nameless.length < lines.length / 20, `${file}: ${nameless[0]}`);
    }
    const names = files.map(
      (file) => new Set(reportLines(file).map((line) => line.trim().split('-').slice(0, -1).join('-'))),
    );
    for (const program of seen)
      assert.ok(
        names.some((each) => [...each].some((task) => task.startsWith(program))),
        program,
      );
  });

  test('host and guest change together: each set is a session with the times of the host', async () => {
    const settings = hostSettings();
    const options = ['-e', 'sched', '-A', name, '-e', 'sched', '-e', 'irq'];
    const run = start(...options, '--rotate', '3s', '--keep', '2', '--json');
    await run.said('recording;');
    await run.printed(4);
    run.child.kill('SIGINT');
    const { code, stdout, stderr } = await run.ended;
    assert.equal(code, 0, stderr);
    assert.deepEqual(hostSettings(), settings);
    const sets = setsOf(run.lines());
    const kept = sets.slice(-2).map(([report]) => `s.00000${report!.set}`);
    assert.deepEqual(
      readdirSync(work).sort(),
      kept.flatMap((set) => [`${set}-${name}.dat`, `${set}.dat`]).sort(),
    );
    for (const set of sets) assert.deepEqual(set.map(({ host }) => String(host)).sort(), ['false', 'true']);
    const [whole] = sets.slice(-2);
    for (const report of whole ?? []) assert.equal(reportLines(report.file).length, report.events);
    const [clock] = whole?.find(({ host }) => !host)?.clock ?? [];
    assert.ok(clock !== undefined && clock.methods.includes('ping') && clock.boundNs < 1e9, stdout);
    const file = join(work, `${kept[0]}.dat`);
    const info = spawnSync(process.execPath, [hostProgram, 'info', file.replace('.dat', `-${name}.dat`)], {
      encoding: 'utf8',
    });
    assert.match(info.stdout, /^host clock ahead by [+-]\d+\.\d{9} s/m);
    for (const command of [['align', '--dry-run'], ['explain'], ['summary']]) {
      const ended = await traceHost(...command, file);
      assert.equal(ended.code, 0, `${command[0]}: ${ended.stderr}`);
    }
  });

  test('a guest that dies ends with its set, and the later ones are of the host alone', async () => {
    const run = start('-e', 'sched_switch', '-A', name, '--rotate', '2s', '--json');
    await run.said('recording;');
    await run.printed(1);
    isDead = true;
    process.kill(guest.qemuPid, 'SIGKILL');
    await run.said('has disconnected');
    const isAlone = (set: readonly Report[]): boolean => set.every(({ host }) => host);
    while (!setsOf(run.lines()).some(isAlone)) await run.printed(run.lines().length + 1);
    run.child.kill('SIGINT');
    const { code, stdout, stderr } = await run.ended;
    assert.equal(code, 5, stderr);
    const sets = setsOf(run.lines());
    const withGuest = sets.filter((set) => set.some(({ host }) => !host)).length;
    assert.ok(withGuest >= 1 && withGuest < sets.length - 1, stdout);
    for (const [index, set] of sets.entries()) {
      assert.equal(set.length, index < withGuest ? 2 : 1);
      for (const { file, events } of set) assert.equal(reportLines(file).length, events);
      const ofHost = set.find(({ host }) => host);
      const session = await openSession(ofHost!.file);
      assert.deepEqual(session.missing, [], 'a set does not name a guest that has no file in it');
      await session.close();
    }
    const failed = sets.flat().filter(({ failures }) => failures.length > 0);
    assert.deepEqual(
      failed.map(({ host, set }) => [host, set]),
      [[false, withGuest]],
    );
  });
});
