import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { exitCode } from '../../src/base/failure.ts';
import { until } from './harness/until.ts';
import { samplePages } from './hostile-guest-samples.ts';
import {
  assertOrderly,
  concurrency,
  interruptAgain,
  ordersOf,
  Scene,
  traceHost,
} from './hostile-guest-run.ts';

const { done, failed, missing, usage } = exitCode;
/** A longer wait counts as a hang. */
const startMs = 120_000;

async function guestThatTells(test: TestContext, scenario: string): Promise<[Scene, () => string[]]> {
  const scene = new Scene(test);
  const agent = await scene.guest(scenario);
  return [scene, ordersOf(agent)];
}

describe('the beginning of a recording', { concurrency }, () => {
  it('Ctrl-C before the start is answered cancels it, and reports what it waits for', async (test) => {
    const [scene, orders] = await guestThatTells(test, 'tells-start-never');
    const run = scene.record('--duration', '30s', '--json');
    await until('it says so', () => /waiting for it to start \(\d+\.\d s\)/.test(run.said()), startMs);
    assert.deepEqual(orders(), ['start']);
    run.child.kill('SIGINT');
    const ended = await run.ended;
    assertOrderly(ended, [failed]);
    assert.match(ended.stderr, /interrupted before the recording began/);
    assert.equal(ended.stdout, '');
    await until('it has heard both', () => orders().length > 1, startMs);
    assert.deepEqual(orders(), ['start', 'stop']);
    assert.deepEqual(readdirSync(scene.outDir), []);
  });

  it('a second Ctrl-C there ends it at once, and also leaves nothing', async (test) => {
    const [scene, orders] = await guestThatTells(test, 'tells-start-mute');
    const run = scene.record('--duration', '5m', '--timeout', '5m');
    await until('it has ordered the start', () => orders().length > 0, startMs);
    run.child.kill('SIGINT');
    await until('it takes it back', () => orders().length > 1, startMs);
    const ended = await interruptAgain(run);
    assert.doesNotMatch(ended.stderr, /has not confirmed it/, 'it waits no more');
    assertOrderly({ ...ended, stderr: `${ended.stderr}trace-host: it says no more\n` }, [failed]);
    assert.deepEqual(readdirSync(scene.outDir), []);
  });

  it('a start that is not answered in time is cancelled', async (test) => {
    const [scene, orders] = await guestThatTells(test, 'tells-start-mute');
    const ended = await scene.record('--duration', '1s', '--timeout', '4s').ended;
    assertOrderly(ended, [missing]);
    assert.match(ended.stderr, /was told to stop and has not confirmed it/);
    await until('it has heard both', () => orders().length > 1, startMs);
    assert.deepEqual(orders(), ['start', 'stop']);
    assert.deepEqual(readdirSync(scene.outDir), []);
  });

  it('Ctrl-C before the start order: nothing is started', async (test) => {
    const [scene, orders] = await guestThatTells(test, 'tells-metadata-never');
    const run = scene.record('--duration', '30s', '--timeout', '5m');
    await until('it fetches', () => run.said().includes('fetching'), startMs);
    run.child.kill('SIGINT');
    const ended = await run.ended;
    assertOrderly(ended, [failed]);
    assert.match(ended.stderr, /interrupted before the recording began/);
    assert.deepEqual(orders(), []);
    assert.deepEqual(readdirSync(scene.outDir), []);
  });

  it('an impossible request is refused before the guest is asked for anything', async (test) => {
    const [scene, orders] = await guestThatTells(test, 'tells-honest');
    const plain = join(scene.outDir, 'plain');
    writeFileSync(plain, '#!/bin/sh\n');
    chmodSync(plain, 0o644);
    mkdirSync(join(scene.outDir, 'old.recording'));
    for (const [args, code, said] of [
      [['-o', '/nonexistent/x'], missing, /\/nonexistent\/x: no such directory: \/nonexistent — create it/],
      [['-o', join(plain, 'x')], missing, /no such directory: .*plain/],
      [['-o', scene.outDir], usage, /out is a directory — specify a file/],
      [['-o', join(scene.outDir, 'old')], failed, /old\.recording already exists/],
      [['--', 'no-such-command', 'x'], usage, /"no-such-command": no such command/],
      [['--', plain], usage, /plain": permission denied/],
      [['--', scene.outDir], usage, /out": permission denied/],
    ] as const) {
      const ended = await scene.record(...args).ended;
      assertOrderly(ended, [code]);
      assert.match(ended.stderr, said);
    }
    assert.deepEqual(orders(), []);
    assert.deepEqual(readdirSync(scene.outDir).toSorted(), ['old.recording', 'plain']);
  });

  it('convert of files that do not exist', async () => {
    const ended = await traceHost('convert', '/nonexistent').ended;
    assertOrderly(ended, [missing]);
    assert.match(ended.stderr, /\/nonexistent: no such file or directory — specify a recording/);
  });

  it('the wait for an order that an agent never carries out, though it answers pings, is reported', async (test) => {
    const [scene] = await guestThatTells(test, 'tells-start-never');
    const run = traceHost('start', '--dir', scene.dir, '--timeout', '1s');
    const what = /waiting for it to carry out the order start \(\d+\.\d s\)/;
    await until('it says so', () => what.test(run.said()), startMs);
    run.child.kill('SIGINT');
    await run.ended;
  });
});

describe('trace-host metadata', () => {
  it('saves the metadata with which convert reads raw pages', async (test) => {
    const scene = new Scene(test);
    await scene.guest('tells-honest');
    const metadata = join(scene.outDir, 'metadata.tar.gz');
    const saved = await traceHost('metadata', '--dir', scene.dir, '-o', metadata, '--json', '--timeout', '1m')
      .ended;
    assert.equal(saved.code, 0, saved.stderr);
    const { file, eventFormats }: { file: string; eventFormats: number } = JSON.parse(saved.stdout);
    assert.deepEqual([file, eventFormats], [metadata, 1336]);

    const raw = join(scene.outDir, 'cpu0.raw');
    writeFileSync(raw, samplePages(0));
    const converted = await traceHost('convert', raw, '--metadata', metadata, '-o', scene.out).ended;
    assertOrderly(converted, [done]);
    assert.match(converted.stdout, /1 CPU, \d{3,} events in 20 pages/);
  });
});
