import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { type Guest, restoreGuest } from './harness/index.ts';
import { debianKernel } from './harness/kernel.ts';
import { kernelModule } from './harness/kernel-module.ts';
import { GuestAgent } from './support/agent.ts';
import { parsedReports, type Recorded, reportLines, startRecord } from './support/recording.ts';
import { shareGuest } from './support/share-guest.ts';
import { traceHost } from './support/trace-host.ts';

const tracing = '/sys/kernel/tracing';
const printkDest = `${tracing}/options/trace_printk_dest`;
const said = ['printk says 42', 'printk says no more'];

for (const [meta, canMove] of [
  ['linux-image-amd64', false],
  ['linux-image-6.12-amd64', true],
] as const)
  describe(`trace_printk, ${meta}`, {
    timeout: 900_000,
    skip: spawnSync('apt-cache', ['show', meta], { stdio: 'ignore' }).status !== 0,
  }, () => {
    let guest: Guest;
    shareGuest(
      async () => {
        const kernel = debianKernel(meta);
        const restored = await restoreGuest({ cpus: 1, kernel, running: GuestAgent.running() });
        await restored.writeFile('/tmp/say_printk.ko', readFileSync(kernelModule('say_printk', kernel)));
        return restored;
      },
      (shared) => (guest = shared),
    );
    /** The directory of the recordings of one test. */
    let work: string;
    let out: string;
    beforeEach(() => {
      work = mkdtempSync(join(tmpdir(), 'virtio-trace-printk-'));
      out = join(work, 'trace.dat');
    });
    afterEach(() => rmSync(work, { recursive: true, force: true }));

    /** Loads the module during a recording. */
    async function record(...args: string[]): Promise<Recorded> {
      const ports = dirname(guest.port('agent-ctl-path').path);
      const run = startRecord(ports, out, work, ['--json', '-e', 'module:module_load', ...args]);
      try {
        await run.said('recording;');
        await guest.check('insmod /tmp/say_printk.ko');
      } finally {
        run.child.kill('SIGINT');
      }
      const { code, stdout, stderr } = await run.ended;
      await guest.check('rmmod say_printk');
      assert.equal(code, 0, stderr);
      const [recorded] = parsedReports(stdout);
      assert.ok(recorded);
      assert.equal(recorded.eventsByName['module:module_load'], 1);
      assert.equal(reportLines(out).length, recorded.events);
      return recorded;
    }

    const inTop = async () =>
      (await guest.check(`cat ${tracing}/trace; : > ${tracing}/trace`)).match(/printk says.*/g);
    const inFile = () => reportLines(out).flatMap((line) => /printk says.*/.exec(line)?.[0] ?? []);

    test('is not recorded in a separate instance, and info reports that', async () => {
      const recorded = await record();
      assert.deepEqual(recorded.unseen, ['trace_marker', 'trace_printk']);
      assert.deepEqual([inFile(), await inTop()], [[], said]);
      assert.match((await traceHost('info', out)).stdout, /^not in it .*trace_marker and trace_printk/m);
    });

    test('is recorded at the top level, with its texts', async () => {
      assert.deepEqual((await record('-B', 'top')).unseen, []);
      assert.deepEqual(inFile(), said);
      await inTop();
    });

    test(`with --trace-printk is ${canMove ? 'recorded in the instance, and then goes to the top level again' : 'refused'}`, async () => {
      if (canMove) {
        assert.deepEqual((await record('--trace-printk')).unseen, ['trace_marker']);
        assert.deepEqual([inFile(), await inTop()], [said, null]);
        assert.equal((await guest.check(`cat ${printkDest}`)).trim(), '1');
        return;
      }
      const ports = dirname(guest.port('agent-ctl-path').path);
      const run = startRecord(ports, out, work, ['-e', 'module:module_load', '--trace-printk']);
      const { code, stderr } = await run.ended;
      assert.equal(code, 1);
      assert.match(stderr, /before 6\.12\) writes trace_printk to the top level only/);
    });
  });
