import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { exitCode } from '../../src/base/failure.ts';
import { openTrace } from '../../src/trace/open.ts';
import { isAlive, setWriterOf } from './harness/processes.ts';
import { until } from './harness/until.ts';
import {
  assertOrderly,
  concurrency,
  type Ended,
  interruptAgain,
  type Run,
  Scene,
  traceHost,
} from './hostile-guest-run.ts';

const { done, failed, lost } = exitCode;
/** A longer wait counts as a hang. */
const startMs = 60_000;

interface Report {
  readonly guest: string | null;
  readonly file: string | null;
  readonly recording: string | null;
  readonly set: number;
  readonly deleted: readonly string[];
  readonly events: number;
  readonly rawBytes: number;
  readonly ended: { readonly by: string };
  readonly failures: readonly { readonly message: string }[];
}

/** A line of stdout for each set, with an entry for each guest. */
function setsOf({ stdout }: Pick<Ended, 'stdout'>): Report[][] {
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line): Report[] => JSON.parse(line));
}

/** The numbers of the pages that a trace has, by CPU; asserts that no page is there in part. */
async function numbersOf(path: string): Promise<ReadonlyMap<number, readonly number[]>> {
  const events = new Map<number, Map<number, number>>();
  const trace = await openTrace(path);
  try {
    for await (const batch of trace.events())
      for (const event of batch) {
        const counts = events.get(event.cpu) ?? new Map<number, number>();
        events.set(event.cpu, counts);
        const number = Number(event.timestamp / 1_000_000_000n);
        counts.set(number, (counts.get(number) ?? 0) + 1);
      }
  } finally {
    await trace.close();
  }
  for (const [cpu, counts] of events)
    assert.equal(new Set(counts.values()).size, 1, `CPU ${cpu} of ${path}: all pages have as many events`);
  return new Map([...events].map(([cpu, counts]) => [cpu, [...counts.keys()]]));
}

/** Asserts that traces have every page once and in order. @param from number of the first page */
async function assertAll(paths: readonly string[], from: number | 'any' = 1): Promise<void> {
  const all = new Map<number, number[]>();
  for (const path of paths)
    for (const [cpu, numbers] of await numbersOf(path)) all.set(cpu, [...(all.get(cpu) ?? []), ...numbers]);
  assert.equal(all.size, 2);
  for (const [cpu, numbers] of all) {
    const first: number = from === 'any' ? numbers[0]! : from;
    const wanted = Array.from({ length: numbers.length }, (_, index) => first + index);
    assert.deepEqual(numbers, wanted, `CPU ${cpu}`);
  }
}

/** The number of events that trace-cmd reads. */
function traceCmdEvents(path: string): number {
  const { status, stdout, stderr } = spawnSync('trace-cmd', ['report', '-i', path], {
    encoding: 'latin1',
    maxBuffer: 1 << 30,
  });
  assert.equal(status, 0, stderr);
  return stdout.split('\n').filter((line) => /^\s+\S.*-\d+\s+\[\d+\]/.test(line)).length;
}

function dats(scene: Scene): string[] {
  return readdirSync(scene.outDir)
    .filter((name) => name.endsWith('.dat'))
    .sort()
    .map((name) => join(scene.outDir, name));
}

function nameOf(set: number, extension: string): string {
  return `trace.${String(set).padStart(6, '0')}${extension}`;
}

/** The file of a recording. */
function fileOf(dir: string): string {
  return dir.replace(/\.recording$/, '');
}

/** The largest number of a file or directory. */
function lastOf(scene: Scene, extension: string): number {
  const names = readdirSync(scene.outDir).filter((name) => name.endsWith(extension));
  return Math.max(...names.map((name) => Number(name.split('.')[1])));
}

function isThere(scene: Scene, name: string): Promise<unknown> {
  return until(`${name} is there`, () => existsSync(join(scene.outDir, name)), startMs);
}

function begun(run: Run): Promise<unknown> {
  return until('recording begins', () => run.said().includes('recording;'), startMs);
}

describe('record --rotate', { concurrency }, () => {
  it('by time: the files have every page once, and are what the report says', async (test) => {
    const scene = new Scene(test);
    await scene.guest('pages-numbered');
    const run = scene.record('--rotate', '1s', '--duration', '4500ms', '--json');
    // as a service manager does to all processes of a service
    process.kill(await until('files are written', () => setWriterOf(run.child.pid!), startMs), 'SIGTERM');
    const ended = await run.ended;
    assertOrderly(ended, [done]);
    const sets = setsOf(ended);
    assert.ok(sets.length >= 3, ended.stdout);
    assert.deepEqual(
      sets.map(([report]) => [report?.set, report?.ended.by]),
      sets.map((_, index) => [index + 1, index === sets.length - 1 ? 'duration' : 'rotate']),
    );
    const files = sets.map(([report]) => report!.file!);
    assert.deepEqual(dats(scene), files);
    assert.deepEqual(readdirSync(scene.outDir).length, files.length, 'nothing else is left');
    await assertAll(files);
    for (const [report] of sets) {
      assert.ok(report!.events > 0);
      assert.equal(traceCmdEvents(report!.file!), report!.events);
    }
  });

  it('by size, and keeps the newest ones', async (test) => {
    const scene = new Scene(test);
    await scene.guest('pages-numbered');
    writeFileSync(join(scene.outDir, 'trace.dat'), 'not numbered');
    writeFileSync(join(scene.outDir, 'trace.000001-web.dat'), 'of another guest');
    const ended = await scene.record('--rotate', '1M', '--keep', '2', '--max-size', '12M', '--json').ended;
    assertOrderly(ended, [done]);
    const sets = setsOf(ended);
    assert.ok(sets.length >= 3, ended.stdout);
    for (const [report] of sets.slice(0, -1)) assert.ok(report!.rawBytes >= 2 ** 20, `${report!.rawBytes}`);
    const files = sets.map(([report]) => report!.file!);
    const deleted = sets.flatMap(([report]) => report!.deleted);
    assert.deepEqual(deleted, files.slice(0, -2));
    const others = ['trace.000001-web.dat', 'trace.dat'].map((name) => join(scene.outDir, name));
    assert.deepEqual(dats(scene), [...others, ...files.slice(-2)].sort());
    for (const other of others) assert.match(readFileSync(other, 'utf8'), /not numbered|of another guest/);
    await assertAll(files.slice(-2), 'any');
  });

  it('a killed recording leaves whole files; the rest is recovered, and the next one continues', async (test) => {
    const scene = new Scene(test);
    await scene.guest('pages-numbered');
    const killed = scene.record('--rotate', '1s', '--duration', '5m');
    await isThere(scene, 'trace.000002.dat');
    const writer = setWriterOf(killed.child.pid!);
    killed.child.kill('SIGKILL');
    await killed.ended;
    assert.ok(writer !== undefined);
    await until('what writes files has ended too', () => !isAlive(writer), startMs);
    assert.deepEqual(
      readdirSync(scene.outDir).filter((name) => name.endsWith('.tmp')),
      [],
    );
    const left = readdirSync(scene.outDir).filter((name) => name.endsWith('.recording'));
    assert.ok(left.length > 0);
    const whole = dats(scene);
    // the kill may have come between a file and the end of its recording
    const unfinished = left
      .map((name) => join(scene.outDir, name))
      .filter((dir) => !whole.includes(fileOf(dir)));
    for (const dir of unfinished) {
      const converted = await traceHost('convert', dir, '-o', fileOf(dir)).ended;
      // the page that was arriving
      assertOrderly(converted, [done, lost]);
    }
    await assertAll(dats(scene));
    const stopped = await traceHost('stop', '--dir', scene.dir, '--timeout', '1m').ended;
    assertOrderly(stopped, [done]);
    const before = lastOf(scene, '.dat');
    for (const dir of unfinished) rmSync(fileOf(dir));
    const next = await scene.record('--rotate', '1h', '--duration', '1s', '--json').ended;
    assertOrderly(next, [done, lost]);
    assert.deepEqual(
      setsOf(next).map(([report]) => report?.set),
      [before + 1],
    );
    for (const dir of unfinished)
      assert.ok(next.stderr.includes(`trace-host convert ${dir} -o ${fileOf(dir)}`));
  });

  /** Stops the process that writes files, and waits until it has to write one. */
  async function stopWriter(scene: Scene, run: Run): Promise<number> {
    await isThere(scene, 'trace.000001.dat');
    const writer = await until('it writes', () => setWriterOf(run.child.pid!), startMs);
    process.kill(writer, 'SIGSTOP');
    const begun = lastOf(scene, '.dat.recording');
    await isThere(scene, nameOf(begun + 2, '.dat.recording'));
    return writer;
  }

  it('a process that writes files and is killed loses nothing: its recording is kept', async (test) => {
    const scene = new Scene(test);
    await scene.guest('pages-numbered');
    const run = scene.record('--rotate', '1s', '--duration', '5m', '--json');
    const writer = await stopWriter(scene, run);
    const last = lastOf(scene, '.dat.recording');
    process.kill(writer, 'SIGKILL');
    await isThere(scene, nameOf(last, '.dat'));
    run.child.kill('SIGINT');
    const ended = await run.ended;
    assertOrderly(ended, [lost]);
    const without = setsOf(ended).flatMap(([report]) => (report!.file === null ? [report!] : []));
    assert.equal(without.length, 1, ended.stdout);
    const [{ recording, failures } = { recording: null, failures: [] }] = without;
    assert.match(failures[0]?.message ?? '', /the process that writes it has ended/);
    assert.ok(recording !== null);
    const converted = await traceHost('convert', recording, '-o', fileOf(recording)).ended;
    assertOrderly(converted, [done]);
    await assertAll(dats(scene));
  });

  it('a second Ctrl-C names the recordings that are not written yet', async (test) => {
    const scene = new Scene(test);
    await scene.guest('pages-numbered');
    const run = scene.record('--rotate', '1s', '--duration', '5m');
    const writer = await stopWriter(scene, run);
    const interrupted = interruptAgain(run);
    await until('it exits', () => run.child.exitCode !== null, startMs);
    // it holds stderr open
    process.kill(writer, 'SIGCONT');
    const ended = await interrupted;
    assertOrderly(ended, [failed]);
    const left = readdirSync(scene.outDir).filter((name) => name.endsWith('.recording'));
    assert.ok(left.length >= 2, String(left));
    for (const name of left)
      assert.ok(ended.stderr.includes(`trace-host convert ${join(scene.outDir, name)}`), ended.stderr);
  });

  const mountSkip = process.getuid?.() === 0 ? false : 'mounting a small tmpfs takes root';

  it('a disk that becomes full: what fitted is there, once', { skip: mountSkip }, async (test) => {
    const scene = new Scene(test);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=60M', 'tmpfs', scene.outDir]);
    try {
      await scene.guest('pages-numbered');
      const ended = await scene.record('--rotate', '1M', '--duration', '5m').ended;
      assertOrderly(ended, [done, failed, lost]);
      assert.match(ended.stderr, /full/);
      assert.ok(dats(scene).length > 0);
      execFileSync('mount', ['-o', 'remount,size=2G', scene.outDir]);
      for (const name of readdirSync(scene.outDir).filter((each) => each.endsWith('.recording'))) {
        const dir = join(scene.outDir, name);
        assert.ok(ended.stderr.includes(`trace-host convert ${dir}`), ended.stderr);
        const converted = await traceHost('convert', dir, '-o', fileOf(dir)).ended;
        assertOrderly(converted, [done, lost]);
      }
      await assertAll(dats(scene));
    } finally {
      execFileSync('umount', [scene.outDir]);
    }
  });

  for (const [how, scenario, said] of [
    ['dies', 'pages-numbered-die', /has disconnected/],
    ['has a new agent', 'pages-numbered-restart', /was restarted and is no longer tracing/],
  ] as const)
    it(`a guest that ${how} ends alone, and the other goes on`, async (test) => {
      const scene = new Scene(test);
      await scene.guest(scenario, 'web');
      await scene.guest('pages-numbered', 'db');
      const run = scene.record('--rotate', '1s', '-A', 'web', '-A', 'db', '--duration', '5m', '--json');
      await begun(run);
      await until('web has ended', () => said.test(run.said()), startMs);
      const sets = dats(scene).filter((path) => path.includes('-db')).length;
      await isThere(scene, nameOf(sets + 3, '-db.dat'));
      run.child.kill('SIGINT');
      const ended = await run.ended;
      assertOrderly(ended, [lost]);
      const reports = setsOf(ended);
      const files = (guest: string): string[] =>
        reports.flat().flatMap((report) => (report.guest === guest ? [report.file!] : []));
      const [web, db] = [files('web'), files('db')];
      assert.equal(db.length, reports.length);
      assert.ok(web.length >= 2 && web.length < db.length, `${web.length} of ${db.length}`);
      await assertAll(db);
      await assertAll(web);
      const withFailure = reports.flat().filter(({ failures }) => failures.length > 0);
      assert.deepEqual(
        withFailure.map(({ file }) => file),
        [web.at(-1)],
        'with its last file',
      );
      assert.ok(statSync(web.at(-1)!).size > 0);
    });
});
