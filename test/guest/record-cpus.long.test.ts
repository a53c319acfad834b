import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { bootGuest } from './harness/index.ts';
import { guestTracefs, ringStats, span } from './support/account.ts';
import { GuestAgent } from './support/agent.ts';
import { parsedReports, reportLines, startRecord } from './support/recording.ts';

/** Work on each CPU of the guest, for a limited time. */
function busyAll(cpus: number): string {
  const one = 'taskset -c $c sh -c "for i in 1 2 3; do ls -lR /sys/class/tty > /dev/null; done" &';
  return `for c in $(seq 0 ${cpus - 1}); do ${one} done; wait`;
}

describe('trace-host record of many CPUs', { timeout: 1_800_000 }, () => {
  // 16 take a second virtio-serial device
  for (const cpus of [4, 16]) {
    test(`${cpus} CPUs: trace-cmd reads as many events as the guest's own statistics count`, async (context) => {
      const work = mkdtempSync(join(tmpdir(), 'virtio-trace-cpus-'));
      context.after(() => rmSync(work, { recursive: true, force: true }));
      const guest = await bootGuest({ cpus });
      context.after(() => guest.close());
      assert.equal(new Set(guest.ports.map(({ bus }) => bus)).size, cpus > 14 ? 2 : 1);
      await GuestAgent.start(guest);
      // an existing instance stays after the stop, with its statistics
      const instance = `${guestTracefs}/instances/mine`;
      await guest.check(['mkdir', instance]);

      const out = join(work, 'trace.dat');
      const portsDir = dirname(guest.port('agent-ctl-path').path);
      // rings that hold all events, even if they are read late
      const args = ['--json', '-B', 'mine', '-e', 'sched', '-b', '16384'];
      const recording = startRecord(portsDir, out, work, args);
      await recording.said('recording;');
      await guest.run(busyAll(cpus), { timeoutMs: 600_000 });
      recording.child.kill('SIGINT');
      const { code, stdout, stderr } = await recording.ended;
      assert.equal(code, 0, stderr);
      const [recorded] = parsedReports(stdout);
      assert.equal(recorded?.lostEvents, '0');

      const found = new Map<number, number>();
      for (const line of reportLines(out)) {
        const cpu = Number(/\[(\d+)\]/.exec(line)?.[1]);
        found.set(cpu, (found.get(cpu) ?? 0) + 1);
      }
      for (const cpu of span(0, cpus)) {
        const { entries, overrun, readEvents } = await ringStats(guest, cpu, instance);
        assert.deepEqual([entries, overrun], [0, 0], `CPU ${cpu}`);
        assert.ok(readEvents > 100, `CPU ${cpu}: ${readEvents} events`);
        assert.equal(found.get(cpu), readEvents, `CPU ${cpu}`);
      }
    });
  }
});
