import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { bytesDifference, printed, reportDifference, traceCmd, traceHost } from '../report/compare.ts';
import { agentPackage, singlePrograms } from '../single-programs.ts';
import { bootGuest } from './harness/index.ts';
import { agentDir } from './harness/image.ts';
import { arm64Kernel } from './harness/kernel.ts';
import { bootSingleFileGuest } from './harness/single-file-guest.ts';
import { tool } from './harness/tool.ts';
import { GuestAgent } from './support/agent.ts';
import { parsedReports, type Recorded, reportLines, startRecord } from './support/recording.ts';
import { hostProgram } from './support/trace-host.ts';
import { TracedGuest } from './support/traced-guest.ts';

/** Kernels of Debian for arm64, and the size of their pages. It has none with 64 KiB. */
const kernels = [
  ['linux-image-arm64', 4],
  ['linux-image-6.12-arm64-16k', 16],
] as const;

/** The largest pages of any arm64 kernel. */
const largestPageBytes = 65_536;

const work = mkdtempSync(join(tmpdir(), 'virtio-trace-arm64-'));
after(() => rmSync(work, { recursive: true, force: true }));

/** The executable in the Debian package. */
async function packagedAgent(): Promise<string> {
  const unpacked = join(work, 'deb');
  mkdirSync(unpacked, { recursive: true });
  tool('dpkg-deb', ['-x', await agentPackage('arm64'), unpacked]);
  return join(unpacked, 'usr/bin/trace-agent');
}

const boots = {
  'Node and the npm package': () => Promise.resolve(bootGuest),
  'the Debian package': async () => {
    const agent = await packagedAgent();
    return (options: Parameters<typeof bootGuest>[0]) => bootSingleFileGuest(agent, options);
  },
};

test('the Debian package for arm64 has the single executable, which fits pages of any size', async () => {
  const deb = await agentPackage('arm64');
  assert.equal(tool('dpkg-deb', ['-f', deb, 'Architecture']).trim(), 'arm64');
  const { agent } = await singlePrograms('arm64');
  assert.ok(readFileSync(await packagedAgent()).equals(readFileSync(agent)));
  const segments = [...tool('readelf', ['-lW', agent]).matchAll(/^ +LOAD +(0x\w+) (0x\w+)/gm)];
  assert.ok(segments.length >= 3);
  for (const [line, offset, address] of segments)
    assert.equal((Number(address) - Number(offset)) % largestPageBytes, 0, line);
});

for (const [meta, pageKb] of kernels)
  for (const [installed, boot] of Object.entries(boots))
    describe(`an arm64 guest with pages of ${pageKb} KiB and ${installed}`, { timeout: 1_800_000 }, () => {
      const out = join(work, 'trace.dat');
      let traced: TracedGuest;
      let agent: GuestAgent;
      before(async () => {
        traced = await TracedGuest.boot({ cpus: 2, kernel: arm64Kernel(meta) }, undefined, await boot());
        agent = await GuestAgent.start(traced.guest, '--start');
      });
      after(() => traced.close());

      /** Records while the guest does something. */
      async function record(...args: string[]): Promise<Recorded> {
        const ports = dirname(traced.guest.port('agent-ctl-path').path);
        const recording = startRecord(ports, out, work, ['--json', '-b', '16384', ...args]);
        await recording.said('recording;');
        await traced.guest.check('for i in 1 2 3; do ls -lR /sys/class; done >/dev/null');
        recording.child.kill('SIGINT');
        const { code, stdout, stderr } = await recording.ended;
        assert.equal(code, 0, stderr);
        const [recorded] = parsedReports(stdout);
        assert.ok(recorded);
        return recorded;
      }

      /** Nothing is lost, and the report is that of trace-cmd. */
      async function assertWhole(recorded: Recorded): Promise<void> {
        const text = JSON.stringify(recorded);
        assert.equal(recorded.lostEvents, '0', text);
        assert.equal(recorded.uncountedLosses, 0, text);
        const read = recorded.cpus.reduce((sum, { readEvents = 0 }) => sum + readEvents, 0);
        assert.equal(recorded.events, read, text);
        assert.equal(reportLines(out).length, recorded.events);
        for (const options of [[], ['-t', '-l'], ['-R'], ['--stat']])
          assert.equal(await reportDifference(traceCmd, traceHost, [...options, '-i', out]), undefined);
      }

      test('the guest is as described', async () => {
        assert.equal((await traced.guest.check('uname -m')).trim(), 'aarch64');
        const smaps = await traced.guest.check('cat /proc/self/smaps');
        assert.equal(/KernelPageSize: +(\d+) kB/.exec(smaps)?.[1], String(pageKb));
      });

      test('every marker arrives, also while a worker is killed', async () => {
        const loaded = traced.load({ rate: 1000, count: 3000 });
        await traced.guest.check(`kill -9 ${(await agent.workers()).get(1)}`);
        await agent.waitSaid('worker crashed: restarting', 1);
        await loaded;
        await agent.order0();
        await traced.assertAccounted();
      });

      test('record on this x86-64 host: nothing is lost, and the report is that of trace-cmd', async () => {
        for (const cpu of traced.cpus) await traced.collector(cpu).close();
        const recorded = await record('-e', 'sched', '-e', 'irq', '-p', 'function', '-l', 'vfs_read');
        for (const event of ['ftrace:function', 'sched:sched_switch', 'irq:softirq_entry'])
          assert.ok((recorded.eventsByName[event] ?? 0) > 0, JSON.stringify(recorded));
        await assertWhole(recorded);
      });

      if (pageKb === 16)
        test('sub-buffers of 64 KiB, as those of a kernel with such pages', async () => {
          const recorded = await record('--subbuf-size', '64', '-e', 'sched', '-e', 'irq');
          assert.match(tool(process.execPath, [hostProgram, 'info', out]), /page size +65536 bytes/);
          assert.ok(recorded.events > 100, JSON.stringify(recorded));
          await assertWhole(recorded);
        });

      // the Debian package of the agent has no trace-host; pages of 16 KiB: docs/single-file.md
      if (installed === 'Node and the npm package' && pageKb === 4)
        test('trace-host there records its own kernel, and prints what trace-cmd prints here', async () => {
          const { guest } = traced;
          const program = `node ${agentDir}/dist/bin/trace-host.js`;
          const record = `record --host -e sched -e irq -b 16384 --duration 2s --json -o own.dat`;
          const patience = { timeoutMs: 300_000 };
          const [recorded] = parsedReports(await guest.check(`cd /tmp && ${program} ${record}`, patience));
          assert.ok(recorded);
          assert.ok(recorded.events > 20, JSON.stringify(recorded));
          writeFileSync(out, await guest.readFile('/tmp/own.dat'));
          await assertWhole(recorded);
          await guest.check(`${program} report -i /tmp/own.dat >/tmp/own.txt`, patience);
          const { stdout } = printed(traceCmd, ['-i', out], work);
          assert.equal(await bytesDifference(stdout, await guest.readFile('/tmp/own.txt')), undefined);
        });

      test('the agent ends in order', async () => {
        assert.equal(await agent.terminate(), 0, agent.log);
      });
    });
