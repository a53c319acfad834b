// @alone Linux measures its clock by a timer of the machine as it boots, and stands still when that is late

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { bootGuest, type Guest } from './harness/index.ts';
import { GuestAgent } from './support/agent.ts';
import { parsedReports, reportLines, startRecord } from './support/recording.ts';
import { traceHost } from './support/trace-host.ts';

describe('a microvm, which has no PCI', { timeout: 1_800_000 }, () => {
  const work = mkdtempSync(join(tmpdir(), 'virtio-trace-microvm-'));
  const dir = join(work, 'ports');
  let guest: Guest;
  before(async () => {
    const { code, stdout, stderr } = await traceHost(
      'setup',
      '--dir',
      dir,
      '--cpus',
      '1',
      '--transport',
      'mmio',
    );
    assert.equal(code, 0, stderr);
    const qemuArgs = stdout.split(/\s+/).filter((word) => word !== '');
    guest = await bootGuest({ cpus: 1, machine: 'microvm', ports: [], qemuArgs });
  });
  after(async () => {
    await guest.close();
    rmSync(work, { recursive: true, force: true });
  });

  test('boots with the options that setup prints; trace-cmd reads its recorded trace', async () => {
    assert.equal((await guest.check('ls /sys/bus/pci/devices 2>/dev/null | wc -l')).trim(), '0');
    const agent = await GuestAgent.start(guest);
    const out = join(work, 'trace.dat');
    const recording = startRecord(dir, out, work, [
      '--json',
      '-e',
      'sched',
      '-p',
      'function',
      '-l',
      'vfs_read',
    ]);
    await recording.said('recording;');
    await guest.check('ls -lR /sys/class > /dev/null; read -r line < /proc/version');
    recording.child.kill('SIGINT');
    const { code, stdout, stderr } = await recording.ended;
    assert.equal(code, 0, stderr);
    const [recorded] = parsedReports(stdout);
    assert.ok((recorded?.events ?? 0) > 20, stdout);
    const lines = reportLines(out);
    assert.equal(lines.length, recorded?.events);
    assert.ok(lines.some((line) => /function:\s+vfs_read/.test(line)));
    assert.ok(lines.some((line) => line.includes('sched_switch:')));
    assert.equal(await agent.terminate(), 0);
  });
});
