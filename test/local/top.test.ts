// @alone this machine's tracefs

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { hostProgram, traceHost } from '../guest/support/trace-host.ts';
import { holdMachine } from './harness/machine-lock.ts';
import { agentSkip } from './harness/skip.ts';
import { until } from './harness/until.ts';

interface Frame {
  readonly machines: readonly {
    readonly host: boolean;
    readonly state: string;
    readonly tasks: readonly { readonly pid: number; readonly share: number }[];
    readonly cpus: readonly { readonly cpu: number; readonly busyShare: number | null }[];
    readonly missing: readonly string[];
  }[];
}

function instances(): string[] {
  return readdirSync('/sys/kernel/tracing/instances').filter((name) => /^trace-host-\d+-\d+$/.test(name));
}

describe('trace-host top', { skip: agentSkip(), timeout: 300_000 }, () => {
  holdMachine();
  const work = mkdtempSync(join(tmpdir(), 'virtio-trace-top-'));
  after(() => rmSync(work, { recursive: true, force: true }));

  it('shows a busy task of this host, and its CPU as busy', async () => {
    const hog = spawn('taskset', ['-c', '1', 'sh', '-c', 'while :; do :; done'], { stdio: 'ignore' });
    try {
      const { code, stdout, stderr } = await traceHost('top', '--once', '--json');
      assert.equal(code, 0, stderr);
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what is missing fails below
      const { machines } = JSON.parse(stdout) as Frame;
      assert.equal(machines.length, 1);
      const [host] = machines;
      assert.ok(host?.host);
      assert.equal(host.state, 'tracing');
      const task = host.tasks.find(({ pid }) => pid === hog.pid);
      assert.ok(task !== undefined && task.share > 0.5, stdout);
      const busy = host.cpus.find(({ cpu }) => cpu === 1)?.busyShare ?? 0;
      assert.ok(busy > 0.8, stdout);
      assert.deepEqual(instances(), []);
    } finally {
      hog.kill('SIGKILL');
    }
  });

  it('shows frames until SIGTERM, without cursor codes, and leaves nothing', async () => {
    const child = spawn(process.execPath, [hostProgram, 'top', '--delay', '500ms'], {
      env: { ...process.env, TMPDIR: work },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    child.stdout.on('data', (data: Buffer) => (stdout += data.toString()));
    await until('two frames', () => stdout.split('trace-host top').length > 2, 60_000);
    child.kill('SIGTERM');
    const [code] = await once(child, 'exit');
    assert.equal(code, 0);
    assert.ok(!stdout.includes('\u001b'));
    assert.deepEqual(instances(), []);
    assert.deepEqual(readdirSync(work), []);
  });

  it('names what the chosen events do not show', async () => {
    const { code, stdout, stderr } = await traceHost('top', '--once', '--json', '-e', 'sched_waking');
    assert.equal(code, 0, stderr);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what is missing fails below
    const { machines } = JSON.parse(stdout) as Frame;
    assert.deepEqual(machines[0]?.missing, ['sched_switch', 'irq']);
    assert.ok(machines[0]?.cpus.every(({ busyShare }) => busyShare === null));
  });
});
