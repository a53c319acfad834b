import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { defaultLineOptions, type ReportOptions } from '../../../src/print/report/options.ts';
import { report } from '../../../src/print/report/report.ts';
import { openTrace } from '../../../src/trace/open.ts';
import { madeRecording, type MadeEvent, switchData, wakeData } from '../analysis/made-trace.ts';

async function printed(
  context: TestContext,
  events: readonly MadeEvent[],
  options: Partial<ReportOptions>,
): Promise<string[]> {
  const trace = await openTrace(await madeRecording(context, events));
  context.after(() => trace.close());
  const pieces: Buffer[] = [];
  await report(
    [{ trace, label: undefined, timeOffset: 0n, clockHz: undefined }],
    {
      ...defaultLineOptions,
      noPlugins: true,
      filterOf: () => ({}),
      withoutFlags: 0,
      wakeups: false,
      alignTimes: false,
      ...options,
    },
    (bytes) => {
      pieces.push(Buffer.from(bytes));
      return Promise.resolve();
    },
    () => {},
  );
  return Buffer.concat(pieces).toString('latin1').split('\n');
}

/** A switch to a task of that priority. */
function switchTo(pid: number, priority: number): Uint8Array {
  const data = switchData(1, 0n, pid);
  new DataView(data.buffer).setInt32(60, priority, true);
  return data;
}

const start = 2 ** 40;

test('-w adds to a switch how long ago the task was woken, once', async (context) => {
  const lines = await printed(
    context,
    [
      { cpu: 0, ns: start, pid: 1, data: wakeData('wakeup', 1, 7) },
      { cpu: 1, ns: start + 500, pid: 1, data: wakeData('wakeup', 1, 8) },
      { cpu: 0, ns: start + 2001, pid: 1, data: switchTo(7, 120) },
      { cpu: 0, ns: start + 3000, pid: 1, data: switchTo(7, 120) },
      { cpu: 0, ns: start + 4000, pid: 1, data: switchTo(9, 120) },
      { cpu: 1, ns: start + 10_500, pid: 1, data: switchTo(8, 99) },
    ],
    { wakeups: true },
  );
  const latencies = lines.map((line) => / Latency: .*$/.exec(line)?.[0] ?? '').slice(1, 7);
  assert.deepEqual(latencies, ['', '', ' Latency: 2.001 usecs', '', '', ' Latency: 10.000 usecs']);
  assert.deepEqual(lines.slice(7), [
    '',
    'Average wakeup latency: 6.000 usecs',
    'Maximum Latency: 10.000 usecs at timestamp: 1099.511638',
    'Minimum Latency: 2.001 usecs at timestamp: 1099.511630',
    '',
    'RT task timings:',
    '',
    'Average wakeup latency: 10.000 usecs',
    'Maximum Latency: 10.000 usecs at timestamp: 1099.511638',
    'Minimum Latency: 10.000 usecs at timestamp: 1099.511638',
    '',
    '',
  ]);
});

test('-w: the last wakeup counts, and without latencies there is no summary', async (context) => {
  const lines = await printed(
    context,
    [
      { cpu: 0, ns: start, pid: 1, data: wakeData('wakeup', 1, 7) },
      { cpu: 0, ns: start + 1000, pid: 1, data: wakeData('wakeup', 1, 7) },
      { cpu: 0, ns: start + 3000, pid: 1, data: switchTo(7, 120) },
    ],
    { wakeups: true },
  );
  assert.match(lines[3] ?? '', / Latency: 2\.000 usecs$/);
  assert.ok(!lines.includes('RT task timings:'), 'no real-time task');
  const none = await printed(context, [{ cpu: 0, ns: start, pid: 1, data: switchTo(7, 120) }], {
    wakeups: true,
  });
  assert.equal(none.length, 3, none.join('\n'));
});

test('--align-ts begins at 0, --ts-check reports each step back', async (context) => {
  const events = [5000, 6000, 9000].map((ns) => ({ cpu: 0, ns: start + ns, pid: 1, data: switchTo(7, 120) }));
  const lines = await printed(context, events, { alignTimes: true, nanoseconds: true });
  assert.deepEqual(
    lines.map((line) => /\] +([\d.]+):/.exec(line)?.[1]).filter((time) => time !== undefined),
    ['0.000000000', '0.000001000', '0.000004000'],
  );
  const steps: bigint[][] = [];
  await printed(context, events, { onStepBack: (...step) => steps.push(step.map(BigInt)) });
  assert.deepEqual(steps, []);
});

test('lost events have a line of their own', async (context) => {
  const data = switchTo(7, 120);
  const lines = await printed(
    context,
    [
      { cpu: 0, ns: start, pid: 1, data },
      { cpu: 0, ns: start + 10, pid: 1, data, lost: 12 },
    ],
    {},
  );
  assert.equal(lines[2], 'CPU:0 [12 EVENTS DROPPED]');
});
