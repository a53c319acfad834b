import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { reportDifference, traceCmd, traceHost } from '../report/compare.ts';
import { shortOptions } from '../report/options.ts';
import { hostProgram } from './support/trace-host.ts';
import { kinds, ReportGuest } from './support/report-guest.ts';

/** Kinds of events that must have happened, so that the comparison is worth something. */
const leastTypes = 150;

describe('trace-host report of a guest', { timeout: 900_000 }, () => {
  const work = mkdtempSync(join(tmpdir(), 'virtio-trace-report-'));
  let guest: ReportGuest;
  before(async () => {
    guest = await ReportGuest.restore();
  });
  after(async () => {
    await guest.close();
    rmSync(work, { recursive: true, force: true });
  });

  test('many kinds of events are printed as trace-cmd does', async () => {
    const out = join(work, 'events.dat');
    const { eventsByName } = await guest.record(out, {
      ...kinds.events,
      meanwhile: '/tmp/many-events tasks signals files mounts network ring',
    });
    const types = Object.keys(eventsByName);
    assert.ok(types.length >= leastTypes, types.join());
    for (const args of shortOptions)
      assert.equal(await reportDifference(traceCmd, traceHost, [...args, '-i', out]), undefined);
  });

  test('so are all conversions of trace_printk, and markers', async () => {
    const out = join(work, 'printk.dat');
    const { eventsByName } = await guest.record(out, kinds.printk);
    for (const name of ['bprint', 'bputs', 'print', 'raw_data', 'kernel_stack'])
      assert.ok((eventsByName[`ftrace:${name}`] ?? 0) > 0, JSON.stringify(eventsByName));
    for (const args of shortOptions)
      assert.equal(await reportDifference(traceCmd, traceHost, [...args, '-i', out]), undefined);
  });

  test('are printed while they are recorded, by record and by another process', async () => {
    const out = join(work, 'live.dat');
    const run = guest.start(out, ['-B', 'top', '-e', 'sched', '-e', 'irq', '--print']);
    await run.said('recording;');
    const follower = spawn(process.execPath, [hostProgram, 'report', '--follow', out]);
    let followed = '';
    follower.stdout.setEncoding('utf8').on('data', (text: string) => {
      followed += text;
    });
    const followerEnded = once(follower, 'close');
    await guest.guest.check('/tmp/many-events tasks', { timeoutMs: 300_000 });
    // pages are printed before the recording ends
    await run.printed(1000);
    run.child.kill('SIGINT');
    const { code, stdout, stderr } = await run.ended;
    assert.equal(code, 0, stderr);
    await followerEnded;
    const whole = traceHostOutput('report', out);
    // a task's name may be known only at the end, and CPUs that send late come late
    const comparable = (text: string): string[] =>
      linesOf(text)
        .map((line) => line.slice(16))
        .sort();
    assert.ok(linesOf(whole).length > 1000);
    assert.deepEqual(comparable(stdout), comparable(whole));
    assert.deepEqual(comparable(followed), comparable(whole));
    for (const text of [stdout, followed])
      for (const cpu of ['[000]', '[001]'])
        assert.deepEqual(timesOf(text, cpu), timesOf(whole, cpu), `order of ${cpu}`);
    assert.match(stderr, /live\.dat: .* events/);
  });
});

/** Lines of events. */
function linesOf(text: string): string[] {
  return text.split('\n').filter((line) => /^ *\S.*-\d+ +\[\d{3}\] /.test(line));
}

function timesOf(text: string, cpu: string): string[] {
  return linesOf(text)
    .filter((line) => line.includes(cpu))
    .map((line) => /\] +([\d.]+):/.exec(line)?.[1] ?? '');
}

function traceHostOutput(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, [hostProgram, ...args], {
    encoding: 'utf8',
    maxBuffer: 1 << 30,
  });
  assert.equal(status, 0, stderr);
  return stdout;
}
