import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { BufferSummary } from '../../../../src/analysis/result.ts';
import { summarise } from '../../../../src/analysis/summary.ts';
import { duration, summaryText } from '../../../../src/cli/report/summary-report.ts';
import { openTrace } from '../../../../src/trace/open.ts';
import { madeRecording, switchData } from '../../analysis/made-trace.ts';
import { recordingDir } from '../../trace/samples.ts';

async function bufferOf(path: string): Promise<BufferSummary> {
  const trace = await openTrace(path);
  const { buffers } = await summarise(trace);
  await trace.close();
  return buffers[0]!;
}

describe('summaryText', () => {
  it('fits the bars to the terminal, the longest for the largest count', async (test) => {
    const buffer = await bufferOf(recordingDir(test));
    for (const columns of [50, 70, 80]) {
      const bars = summaryText({ path: 'x', buffers: [buffer] }, 3, columns)
        .split('\n')
        .filter((line) => line.includes('#'));
      const longest = Math.max(...bars.map(({ length }) => length));
      assert.ok(longest <= columns && longest > columns - 3, `${longest} of ${columns}`);
      const counts = buffer.wakeupHistogram.map(({ count }) => count).filter((count) => count > 0);
      assert.equal(bars.length, counts.length);
      const most = bars.findIndex(({ length }) => length === longest);
      assert.equal(counts[most], Math.max(...counts));
    }
  });

  it('has as many rows as asked for, says how many more there are, and what is not counted', async (test) => {
    const buffer = await bufferOf(recordingDir(test));
    const text = summaryText({ path: 'some.dat', buffers: [buffer] }, 4, 80);
    assert.match(
      text,
      /^some\.dat: 21843 events over 10\.92 s, CPUs 97\.0 % idle, 35899 lost, clock global\n/,
    );
    const tasks = text.split('\n\n').find((part) => part.startsWith('task '))!;
    assert.equal(tasks.trimEnd().split('\n').length, 6);
    assert.match(tasks, new RegExp(`\nand ${buffer.tasks.length - 4} more tasks$`));
    assert.match(text, /^not counted: 1 task runs during which events were lost$/m);
    assert.match(text, /^ +9 +RCU +183 /m);
    const all = summaryText({ path: 'some.dat', buffers: [buffer] }, 10_000, 80);
    assert.doesNotMatch(all, /^and .* more/m);
  });

  it('says what to record, and prints no control characters of a guest', async (test) => {
    const data = switchData(4, 1n, 0);
    data.set(Buffer.from('a\x1b[2J\u009b\0'), 8);
    const events = [
      { cpu: 0, ns: 1000, pid: 4, data },
      { cpu: 0, ns: 3000, pid: 0, data: switchData(0, 0n, 4) },
    ];
    const text = summaryText(
      { path: 'x\x1b', buffers: [await bufferOf(await madeRecording(test, events))] },
      5,
      80,
    );
    assert.match(text, /^no wakeup latencies: record with -e sched:sched_waking$/m);
    assert.match(text, /^no irq times: record with -e irq:irq_handler_entry -e irq:irq_handler_exit$/m);
    // oxlint-disable-next-line no-control-regex -- there must be none
    assert.doesNotMatch(text, /[\x00-\x09\x0b-\x1f\x7f-\x9f]/);
  });

  it('gives counts without times for a clock that counts something else', async (test) => {
    const events = [{ cpu: 0, ns: 1000, pid: 4, data: switchData(4, 1n, 0) }];
    const buffer = await bufferOf(await madeRecording(test, events, 'counter'));
    const text = summaryText({ path: 'x', buffers: [buffer] }, 5, 80);
    assert.match(text, /^no durations: the clock does not count time or is unknown — record with -C mono$/m);
    assert.doesNotMatch(text, /\d (?:ns|us|ms|s)\b/);
    assert.match(text, /^ *1 +sched:sched_switch$/m);
  });
});

describe('duration', () => {
  it('has three or four digits and a unit', () => {
    assert.deepEqual(
      [null, 0, 999, 1000, 1784, 12_340, 999_949, 999_951, 1_000_000, 139_500_000, 2_798_118_010].map(
        duration,
      ),
      [
        '-',
        '0 ns',
        '999 ns',
        '1.000 us',
        '1.784 us',
        '12.34 us',
        '999.9 us',
        '1.000 ms',
        '1.000 ms',
        '139.5 ms',
        '2.798 s',
      ],
    );
  });
});
