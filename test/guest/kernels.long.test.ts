import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { debianKernel } from './harness/kernel.ts';
import { parsedReports, reportLines, startRecord } from './support/recording.ts';
import { TracedGuest } from './support/traced-guest.ts';

/** Debian's other kernels of this release; apt may know no 6.12. */
const kernels = [
  'linux-image-rt-amd64',
  'linux-image-cloud-amd64',
  'linux-image-6.12-amd64',
  'linux-image-6.12-rt-amd64',
  'linux-image-6.12-cloud-amd64',
].filter((meta) => spawnSync('apt-cache', ['show', meta], { stdio: 'ignore' }).status === 0);

describe('other kernels', { timeout: 1_800_000 }, () => {
  test('are available', () => assert.ok(kernels.length >= 2, kernels.join()));

  for (const meta of kernels)
    test(`${meta}: every marker arrives, also while a worker is killed, and a recording is readable`, async (context) => {
      const kernel = debianKernel(meta);
      await using traced = await TracedGuest.restore({ cpus: 2, kernel, agent: ['--start'] });
      const { agent, guest } = traced;
      const loaded = traced.load({ rate: 1000, count: 3000 });
      await guest.check(`kill -9 ${(await agent.workers()).get(1)}`);
      await agent.waitSaid('worker crashed: restarting', 1);
      await loaded;
      await agent.order0();
      await traced.assertAccounted();

      const work = mkdtempSync(join(tmpdir(), 'virtio-trace-kernels-'));
      context.after(() => rmSync(work, { recursive: true, force: true }));
      for (const cpu of traced.cpus) await traced.collector(cpu).close();
      const out = join(work, 'trace.dat');
      const args = ['--json', '-e', 'sched', '--duration', '2s'];
      const { code, stdout, stderr } = await startRecord(
        dirname(guest.port('agent-ctl-path').path),
        out,
        work,
        args,
      ).ended;
      assert.equal(code, 0, stderr);
      const [recorded] = parsedReports(stdout);
      assert.ok((recorded?.events ?? 0) > 20, stdout);
      assert.equal(reportLines(out).length, recorded?.events);
    });
});
