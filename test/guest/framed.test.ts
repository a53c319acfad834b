import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { exitCode } from '../../src/base/failure.ts';
import { restoreGuest } from './harness/index.ts';
import { GuestAgent } from './support/agent.ts';
import { assertAsBefore } from './support/as-before.ts';
import { traceHost } from './support/trace-host.ts';

test('a guest of two CPUs writes its whole trace to stdout while workers are killed, and is left unchanged', {
  timeout: 900_000,
}, async (context) => {
  await using guest = await restoreGuest({ cpus: 2 });
  const dir = mkdtempSync(join(tmpdir(), 'framed-guest-'));
  context.after(() => rmSync(dir, { recursive: true }));
  const instance = '/sys/kernel/tracing/instances/framed';
  await guest.check(`mkdir ${instance}; echo 1 > ${instance}/events/sched/enable`);
  const agent = await GuestAgent.start(guest, '-o', '--framed', '--instance', 'framed');
  await agent.waitSaid('started', 1);
  for (const cpu of [0, 1]) {
    await guest.check(`taskset ${cpu + 1} sh -c 'for i in $(seq 300); do /bin/true; done'`);
    const pid = (await agent.workers()).get(cpu);
    await guest.check(`kill -9 ${pid}`);
    await agent.waitSaid('worker crashed: restarting', cpu + 1);
  }
  agent.process.kill('SIGINT');
  assert.equal((await agent.process.wait()).code, exitCode.done, agent.log);
  await guest.check(`rmdir ${instance}`);
  const [stream, out] = [join(dir, 'trace.framed'), join(dir, 'trace.dat')];
  writeFileSync(stream, agent.process.stdoutBytes());
  // The exit code is only 0 if the file has as many events as the kernel counts as read.
  const converted = await traceHost('convert', stream, '-o', out, '--json');
  assert.deepEqual([converted.code, converted.stderr], [exitCode.done, '']);
  const events = Number(Object(JSON.parse(converted.stdout)).events);
  assert.ok(events > 1000, `${events} events`);
  const report = spawnSync('trace-cmd', ['report', '-t', out], { encoding: 'utf8', maxBuffer: 1 << 28 });
  assert.equal(report.status, 0, report.stderr);
  const last = new Map<string, number>();
  let seen = 0;
  for (const [, cpu = '', time] of report.stdout.matchAll(/ \[(\d+)\].*? (\d+\.\d+): sched_\w+:/g)) {
    seen += 1;
    assert.ok(Number(time) >= (last.get(cpu) ?? 0), `time steps back on CPU ${cpu} at ${time}`);
    last.set(cpu, Number(time));
  }
  assert.equal(seen, events);
  assert.deepEqual(
    [...last.keys()].sort((a, b) => Number(a) - Number(b)),
    ['000', '001'],
  );
  await assertAsBefore(guest);
});
