import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { exitCode } from '../../src/base/failure.ts';
import { until } from './harness/until.ts';
import {
  assertOrderly,
  concurrency,
  type Ended,
  interruptAgain,
  ordersOf,
  type Run,
  Scene,
  traceHost,
} from './hostile-guest-run.ts';

const { done, failed, missing, lost } = exitCode;
/** A longer wait counts as a hang. */
const startMs = 120_000;

function begun(run: Run): Promise<unknown> {
  return until('recording begins', () => run.said().includes('recording;'), startMs);
}

async function recording(test: TestContext, scenario: string, ...more: string[]): Promise<[Scene, Run]> {
  const scene = new Scene(test);
  await scene.guest(scenario);
  const run = scene.record(...more);
  await begun(run);
  return [scene, run];
}

interface Report {
  readonly file: string | null;
  readonly recording: string | null;
  readonly rawBytes: number;
  readonly ended: object;
  readonly untracedCpus: readonly number[];
  readonly heldBytes: number;
  readonly failures: readonly object[];
}

/** The single JSON document on stdout. */
function reportsOf({ stdout }: Ended): Report[] {
  return JSON.parse(stdout);
}

describe('faults on the host', { concurrency }, () => {
  const mountSkip = process.getuid?.() === 0 ? false : 'mounting a small tmpfs takes root';

  for (const [bytes, codes, left] of [
    ['1M', [failed, lost], ['file', 'recording', 'nothing']],
    ['12M', [failed, lost], ['file', 'recording']],
    ['40M', [failed, lost], ['file', 'recording']],
  ] as const) {
    it(`a disk of ${bytes} that becomes full`, { skip: mountSkip }, async (test) => {
      const scene = new Scene(test);
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', scene.outDir]);
      try {
        await scene.guest('pages-for-ever');
        const ended = await scene.record('--duration', '10s', '--json').ended;
        assertOrderly(ended, codes);
        assert.match(ended.stderr, /full/);
        scene.assertTidy();
        assert.ok(existsSync(scene.recording) === ended.stderr.includes('trace-host convert'), ended.stderr);
        execFileSync('mount', ['-o', 'remount,size=2G', scene.outDir]);
        const found = await scene.assertUsable(ended);
        assert.ok(
          left.some((each) => each === found),
          found,
        );
      } finally {
        execFileSync('umount', [scene.outDir]);
      }
    });
  }

  it('the directory of the output file is removed', async (test) => {
    const [scene, run] = await recording(test, 'honest', '--duration', '5s', '--json');
    rmSync(scene.outDir, { recursive: true });
    const ended = await run.ended;
    assertOrderly(ended, [failed]);
    assert.match(ended.stderr, /out was removed/);
    assert.ok(!ended.stderr.includes('trace-host convert'), ended.stderr);
    assert.deepEqual([reportsOf(ended)[0]!.file, reportsOf(ended)[0]!.recording], [null, null]);
  });

  for (const cap of [[], ['-m', '64']]) {
    it(`the recording is removed ${cap.join(' ')}`, async (test) => {
      const [scene, run] = await recording(test, 'pages-for-ever', '--duration', '2s', '--json', ...cap);
      renameSync(scene.recording, join(scene.root, 'gone'));
      const ended = await run.ended;
      assertOrderly(ended, [failed]);
      assert.match(ended.stderr, /trace\.dat\.recording, or a file in it, was removed|ENOENT/);
      assert.equal(reportsOf(ended)[0]!.recording, null);
      assert.deepEqual(readdirSync(scene.outDir), []);
    });
  }

  it('a second Ctrl-C keeps the recording directory', async (test) => {
    const [scene, run] = await recording(test, 'answer-stop-none', '--duration', '5m', '--timeout', '5m');
    run.child.kill('SIGINT');
    await until('the first Ctrl-C handled', () => run.said().includes('interrupted; stopping'), startMs);
    const ended = await interruptAgain(run);
    assertOrderly(ended, [failed]);
    scene.assertTidy();
    assert.equal(await scene.assertUsable(ended), 'recording');
  });

  for (const [cap, maxBytes] of [
    [[], 1e9],
    [['-m', '64'], 2 * 64 * 1024],
  ] as const) {
    it(`kill -9 leaves a recording that can be converted ${cap.join(' ')}`, async (test) => {
      const [scene, run] = await recording(test, 'honest', '--duration', '30s', ...cap);
      await until(
        'all is recorded',
        // a capped recording switches files from time to time
        () => (statSync(join(scene.recording, 'cpu1.raw'), { throwIfNoEntry: false })?.size ?? 0) > 0,
        startMs,
      );
      const sizes = (): number =>
        readdirSync(scene.recording)
          .filter((name) => name.includes('.raw'))
          .reduce((sum, name) => sum + statSync(join(scene.recording, name)).size, 0);
      await until(
        'a second file',
        () => cap.length === 0 || existsSync(join(scene.recording, 'cpu0.raw.older')),
        startMs,
      );
      run.child.kill('SIGKILL');
      await run.ended;
      const bytes = sizes();
      assert.ok(bytes <= maxBytes, `${bytes} bytes kept`);
      const info = await traceHost('info', scene.recording, '--json').ended;
      const { buffers }: { buffers: { cpus: { dataBytes: number }[] }[] } = JSON.parse(info.stdout);
      assert.equal(
        buffers[0]?.cpus.reduce((sum, { dataBytes }) => sum + dataBytes, 0),
        bytes,
        'info sees both halves',
      );
      const converted = await traceHost('convert', scene.recording, '-o', scene.out, '--json').ended;
      assertOrderly(converted, [done, lost]);
      const report: { rawBytes: number } = JSON.parse(converted.stdout);
      assert.equal(report.rawBytes, bytes);
    });
  }

  it('two recordings of one guest: the second is refused and names the first', async (test) => {
    const [scene, run] = await recording(test, 'honest', '--duration', '5m');
    const second = await traceHost('record', '--dir', scene.dir, '-o', `${scene.out}2`).ended;
    assertOrderly(second, [failed]);
    assert.match(second.stderr, new RegExp(`another trace-host \\(pid ${run.child.pid}\\)`));
    run.child.kill('SIGINT');
    assertOrderly(await run.ended, [done]);
    scene.assertTidy();
    // the file of an earlier recording is not overwritten
    rmSync(scene.out);
  });

  it('one of several guests dies: both have their file', async (test) => {
    const scene = new Scene(test);
    await scene.guest('life-dies', 'a');
    await scene.guest('honest', 'b');
    const ended = await scene.record('-A', 'a', '-A', 'b', '--duration', '5s', '--json').ended;
    assertOrderly(ended, [lost]);
    // the raw pages of the dead guest may be kept
    const left = ['trace-a.dat', 'trace-a.dat.recording', 'trace-b.dat'];
    assert.deepEqual(readdirSync(scene.outDir).toSorted(), left);
    const [a, b] = reportsOf(ended);
    assert.equal(a!.failures.length, 1);
    assert.deepEqual(b!.failures, []);
    assert.match(ended.stderr, /guest a has disconnected/);
  });

  it('one of several guests cannot be written any more: it is stopped, and the other continues', async (test) => {
    const scene = new Scene(test);
    const agent = await scene.guest('tells-pages-for-ever', 'a');
    const orders = ordersOf(agent);
    await scene.guest('honest', 'b');
    const run = scene.record('-A', 'a', '-A', 'b', '-m', '64', '--duration', '5m', '--json');
    await begun(run);
    // renamed, because removing it would race with files that are created in it
    renameSync(join(scene.outDir, 'trace-a.dat.recording'), join(scene.root, 'gone'));
    await until('the guest is stopped', () => orders().includes('stop'), startMs);
    assert.equal(run.child.exitCode, null, 'the other is recorded still');
    run.child.kill('SIGINT');
    const ended = await run.ended;
    assertOrderly(ended, [lost]);
    assert.match(ended.stderr, /interrupted; stopping/);
    assert.deepEqual(readdirSync(scene.outDir), ['trace-b.dat']);
    const [a, b] = reportsOf(ended);
    assert.deepEqual([a!.file, b!.failures], [null, []]);
    assert.match(JSON.stringify(a!.failures), /guest a, CPU \d: /);
  });

  it('one of several guests does not exist: nothing is started, nothing is left', async (test) => {
    const scene = new Scene(test);
    await scene.guest('honest', 'a');
    await scene.guest('answer-start-error', 'b');
    const ended = await scene.record('-A', 'a', '-A', 'b', '--duration', '2s').ended;
    assertOrderly(ended, [failed]);
    assert.match(ended.stderr, /guest b refuses/);
    assert.deepEqual(readdirSync(scene.outDir), []);
  });

  for (const [what, command, how, said] of [
    [
      'fails',
      ['sh', '-c', 'echo words; exit 3'],
      { by: 'command', exitCode: 3, signal: null },
      /the command exited with code 3/,
    ],
    [
      'is killed',
      ['sh', '-c', 'kill -9 $$'],
      { by: 'command', exitCode: null, signal: 'SIGKILL' },
      /the command was killed by SIGKILL/,
    ],
  ] as const) {
    it(`a command that ${what}`, async (test) => {
      const scene = new Scene(test);
      await scene.guest('honest');
      const ended = await scene.record('--json', '--', ...command).ended;
      assertOrderly(ended, [done]);
      assert.match(ended.stderr, said);
      assert.equal(reportsOf(ended).length, 1);
      assert.deepEqual(reportsOf(ended)[0]!.ended, how);
      assert.equal(await scene.assertUsable(ended), 'file');
    });
  }

  it('a command that ignores SIGTERM does not delay the end of the recording', async (test) => {
    const scene = new Scene(test);
    await scene.guest('honest');
    // the pipes stay open as long as the command lives
    const stubborn = 'trap "" TERM; exec >/dev/null 2>&1; for i in $(seq 300); do sleep 0.5; done';
    const ended = await scene.record('--duration', '1s', '--', 'sh', '-c', stubborn).ended;
    assertOrderly(ended, [done]);
    assert.ok(ended.seconds < 140, `${ended.seconds} s`);
  });

  it('a CPU that the agent does not trace is reported, and nothing else', async (test) => {
    const scene = new Scene(test);
    await scene.guest('has-one-cpu');
    const ended = await scene.record('--duration', '1s', '--json').ended;
    assertOrderly(ended, [done]);
    assert.match(ended.stderr, /CPU 1 has a port on this host but the guest's agent does not trace it/);
    assert.deepEqual(reportsOf(ended)[0]!.untracedCpus, [1]);
  });

  it('a trace is incomplete if the guest holds pages back', async (test) => {
    const scene = new Scene(test);
    await scene.guest('holds-back');
    const ended = await scene.record('--duration', '1s', '--json').ended;
    assertOrderly(ended, [lost]);
    assert.equal(reportsOf(ended)[0]!.heldBytes, 2 * 4096);
    const stopped = await traceHost('stop', '--dir', scene.dir, '--timeout', '1m').ended;
    assertOrderly(stopped, [lost]);
    assert.match(stopped.stderr, /CPU 1: 4\.0 KiB are held in the guest because/);
  });

  it('--max-size ends the recording', async (test) => {
    const scene = new Scene(test);
    await scene.guest('pages-for-ever');
    const ended = await scene.record('--max-size', '1M', '--json').ended;
    assertOrderly(ended, [lost]);
    assert.match(ended.stderr, /maximum size reached/);
  });

  it('-m keeps the newest pages', async (test) => {
    const scene = new Scene(test);
    await scene.guest('honest');
    const ended = await scene.record('-m', '64', '--duration', '1s', '--json').ended;
    assertOrderly(ended, [done]);
    const { rawBytes } = reportsOf(ended)[0]!;
    assert.ok(rawBytes > 64 * 1024 && rawBytes <= 2 * 64 * 1024, `${rawBytes}`);
    assert.equal(await scene.assertUsable(ended), 'file');
  });

  it('a guest that does not exist', async (test) => {
    const scene = new Scene(test);
    const agent = await scene.guest('honest');
    agent.kill('SIGKILL');
    await until('it ends', () => agent.signalCode !== null, startMs);
    const ended = await scene.record().ended;
    assertOrderly(ended, [missing]);
    assert.match(ended.stderr, /is not running/);
    scene.assertTidy();
  });

  it('the terminal is closed', async (test) => {
    const [scene, run] = await recording(test, 'honest', '--duration', '30s');
    for (const signal of ['SIGHUP', 'SIGHUP'] as const) run.child.kill(signal);
    assertOrderly(await run.ended, [done]);
    assert.deepEqual(readdirSync(scene.outDir), ['trace.dat']);
  });

  /**
   * Interrupts it while the file is written. @returns how it ended; undefined when the file was complete before
   * that
   */
  async function interruptWriting(
    scene: Scene,
    run: Run,
    interrupt: (run: Run) => Promise<Ended>,
  ): Promise<Ended | undefined> {
    const isBegun = (): boolean => readdirSync(scene.outDir).some((name) => name.endsWith('.tmp'));
    const isWhole = (): boolean => existsSync(scene.out);
    await until('the file is begun', () => isBegun() || isWhole(), startMs);
    const ended = await interrupt(run);
    if (!existsSync(scene.out)) return ended;
    // on a busy machine the check was too late
    rmSync(scene.out);
    return undefined;
  }

  it('a second Ctrl-C while the file is written keeps the recording and no partial file', async (test) => {
    const scene = new Scene(test);
    await scene.guest('pages-many');
    const size = (cpu: number): number => statSync(join(scene.recording, `cpu${cpu}.raw`)).size;
    let ended: Ended | undefined;
    for (let tries = 0; ended === undefined && tries < 10; tries += 1) {
      const run = scene.record('--duration', '5m');
      await begun(run);
      await until('much is recorded', () => size(0) + size(1) > 200e6, startMs);
      run.child.kill('SIGINT');
      ended = await interruptWriting(scene, run, interruptAgain);
    }
    assert.ok(ended, 'the file is never seen while it is written');
    assertOrderly(ended, [failed]);
    assert.deepEqual(readdirSync(scene.outDir), ['trace.dat.recording']);

    let interrupted: Ended | undefined;
    for (let tries = 0; interrupted === undefined && tries < 10; tries += 1)
      interrupted = await interruptWriting(
        scene,
        traceHost('convert', scene.recording, '-o', scene.out),
        ({ child, ended: converted }) => {
          child.kill('SIGINT');
          return converted;
        },
      );
    assert.ok(interrupted, 'the file is never seen while it is written');
    assertOrderly(interrupted, [failed]);
    assert.match(interrupted.stderr, /interrupted; nothing was written/);
    assert.deepEqual(readdirSync(scene.outDir), ['trace.dat.recording']);
  });

  it('nobody reads the output', async (test) => {
    const [scene, run] = await recording(test, 'honest', '--duration', '2s');
    run.child.stderr!.destroy();
    run.child.stdout!.destroy();
    const ended = await run.ended;
    assert.equal(ended.signal, null);
    assert.deepEqual(readdirSync(scene.outDir), ['trace.dat']);
  });
});
