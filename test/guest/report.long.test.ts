import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { reportDifference, traceCmd, traceHost } from '../report/compare.ts';
import { eventOptions, functionOptions, metadataOptions, namedOptions } from '../report/options.ts';
import { type Kind, kinds, oddPrintk, oddPrintks, ReportGuest } from './support/report-guest.ts';
import { shareGuest } from './support/share-guest.ts';
import { traceHost as runTraceHost } from './support/trace-host.ts';

const leastTypes = 500;

/** How the file is written, each for one of the recordings; the events' is converted to all of them. */
const formats: readonly (readonly string[])[] = [['--v6'], ['--compress', 'zstd']];

/** Events of each kind that must be in its recording. */
const expected: Record<keyof typeof kinds, readonly string[]> = {
  events: ['sched:sched_switch', 'irq:softirq_entry', 'ftrace:print', 'ftrace:raw_data'],
  function: ['ftrace:function', 'ftrace:kernel_stack'],
  graph: ['ftrace:funcgraph_entry', 'ftrace:funcgraph_exit', 'sched:sched_switch'],
  stacks: ['ftrace:kernel_stack', 'ftrace:user_stack', 'sched:sched_switch'],
  printk: ['ftrace:bprint', 'ftrace:bputs', 'ftrace:print', 'ftrace:raw_data', 'ftrace:kernel_stack'],
  probes: ['pr:open', 'pr:named', 'pr:open_ret', 'pr:read', 'pr:exec', 'up:busy', 'synthetic:wake'],
};

const named: Partial<Record<keyof typeof kinds, readonly [system: string, event: string]>> = {
  events: ['sched', 'sched_switch'],
  graph: ['sched', 'sched_switch'],
  stacks: ['syscalls', 'sys_enter_openat'],
  printk: ['module', 'module_load'],
  probes: ['pr', 'open'],
};

for (const meta of [undefined, 'linux-image-6.12-amd64'])
  describe(`trace-host report of a guest, ${meta ?? 'usual kernel'}`, {
    timeout: 3_600_000,
    skip: meta !== undefined && spawnSync('apt-cache', ['show', meta], { stdio: 'ignore' }).status !== 0,
  }, () => {
    let guest: ReportGuest;
    shareGuest(
      () => ReportGuest.restore(meta),
      (shared) => (guest = shared),
    );
    /** The directory of the recordings of one test, and the file of most of them. */
    let work: string;
    let out: string;
    beforeEach(() => {
      work = mkdtempSync(join(tmpdir(), 'virtio-trace-report-'));
      out = join(work, 'trace.dat');
    });
    afterEach(() => rmSync(work, { recursive: true, force: true }));

    /** All differences at once: each takes long to see. */
    async function assertSame(all: readonly (readonly string[])[], file = out): Promise<void> {
      const different: string[] = [];
      for (const args of all) {
        const found = await reportDifference(traceCmd, traceHost, [...args, '-i', file]);
        if (found !== undefined) different.push(found);
      }
      assert.equal(
        different.length,
        0,
        `${different.length} of ${all.length} differ\n${different.join('\n\n')}`,
      );
    }

    for (const name of ['events', 'function', 'graph', 'stacks', 'printk', 'probes'] as const)
      test(`${name}: the same as trace-cmd's, with every option`, async () => {
        const { eventsByName } = await guest.record(out, kinds[name]);
        for (const event of expected[name])
          assert.ok((eventsByName[event] ?? 0) > 0, `${event}: ${JSON.stringify(eventsByName)}`);
        if (name === 'events') {
          const types = Object.keys(eventsByName);
          assert.ok(types.length >= leastTypes, types.join());
        }
        const of = named[name];
        await assertSame([
          // of a graph, trace-cmd compares with events of CPUs that it does not print (docs/report.md)
          ...eventOptions.filter((args) => name !== 'graph' || !args.includes('--cpu')),
          // a whole kernel has formats that cannot be used: by intent, that is an error (docs/report.md)
          ...metadataOptions.filter((args) => !args.includes('--check-events')),
          ...(name === 'function' || name === 'graph' ? functionOptions : []),
          ...(of === undefined ? [] : namedOptions(...of, !['events', 'graph', 'probes'].includes(name))),
        ]);
      });

    test('a line of trace_printk that trace-cmd does not understand, and those after it', async () => {
      for (let which = 0; which < oddPrintks; which++) {
        await guest.record(out, oddPrintk(which));
        await assertSame([[], ['-N'], ['-R']]);
      }
    });

    test('files of version 6, and compressed ones', async () => {
      for (const format of formats) {
        const kind: Kind = { ...kinds.stacks, args: [...kinds.stacks.args, ...format] };
        await guest.record(out, kind);
        // of compressed files, trace-cmd gives the place of pages in a temporary one
        const stat = format.includes('--compress') ? [] : [['--stat']];
        await assertSame([[], ['-t', '-l'], ...stat, ['--last-event']]);
      }
    });

    test('clocks that are not nanoseconds, or start elsewhere', async () => {
      for (const clock of ['counter', 'x86-tsc', 'uptime', 'mono', 'tai', 'boot']) {
        const args = ['-B', 'top', '-e', 'sched', '-C', clock];
        await guest.record(out, { args, meanwhile: '/tmp/many-events tasks' });
        await assertSame([
          [],
          ['-t'],
          ['-l'],
          ['--ts-diff'],
          ['--align-ts'],
          // the others differ by intent; of tai, trace-cmd also compares times that it rounded to 256 ns
          ...(clock === 'boot' || clock === 'tai'
            ? []
            : [['--raw-ts'], ['--raw-ts', '--ts2secs', '500000000']]),
          ...(['counter', 'x86-tsc', 'tai'].includes(clock) ? [] : [['--ts2secs', '500000000']]),
        ]);
      }
    });

    test('small rings that lose events', async () => {
      const args = ['-B', 'top', '-e', 'all', '-b', '8'];
      const recorded = await guest.record(out, { args, meanwhile: '/tmp/many-events tasks files' });
      assert.ok(BigInt(recorded.lostEvents) > 0n || recorded.uncountedLosses > 0);
      await assertSame([[], ['-l'], ['-R'], ['--cpu', '1'], ['--stat'], ['--ts-diff']]);
    });

    test('two files in the order of their times', async () => {
      const second = join(work, 'second.dat');
      await guest.record(out, kinds.stacks);
      await guest.record(second, { args: ['-B', 'top', '-e', 'sched'], meanwhile: '/tmp/many-events tasks' });
      await assertSame(
        [[], ['-t', '-l'], ['--ts-diff']].map((args) => [...args, '-i', out]),
        second,
      );
    });

    test('a recording that was cut off, once it is a file', async () => {
      const recording = await guest.cutOff(join(work, 'cut.dat'), {
        ...kinds.stacks,
        args: ['-B', 'top', '-e', 'sched'],
      });
      const { code, stderr } = await runTraceHost('convert', recording, '-o', join(work, 'cut.dat'));
      assert.equal(code, 0, stderr);
      await assertSame([[], ['-t'], ['-l']], join(work, 'cut.dat'));
    });
  });
