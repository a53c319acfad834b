import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { convertRecording } from '../../src/trace/convert/convert.ts';
import { reportDifference, traceCmd, traceCmdSkip, traceHost } from '../report/compare.ts';
import { madeRecording, switchData } from '../unit/analysis/made-trace.ts';
import { scratchDir } from '../unit/trace/samples.ts';

const start = 2 ** 40;
const usual = [[], ['-t'], ['-l'], ['--ts-diff'], ['--ts-diff', '-t'], ['--align-ts'], ['--last-event']];
const raw = [['--raw-ts'], ['--raw-ts', '--ts2secs', '500000000']];
const scaled = [
  ['--ts2secs', '500000000'],
  ['--ts-diff', '--ts2secs', '500000000'],
];

/** The options that print times of a clock as trace-cmd does; docs/report.md has the differences. */
const clocks: Readonly<Record<string, readonly (readonly string[])[]>> = {
  local: [...usual, ...raw, ...scaled],
  mono: [...usual, ...raw, ...scaled],
  uptime: [...usual, ...raw, ...scaled],
  boot: [...usual, ...scaled],
  tai: [...usual, ...scaled],
  counter: [...usual, ...raw],
  'x86-tsc': [...usual, ...raw],
};

async function fileOf(test: TestContext, clock: string, version: 6 | 7): Promise<string> {
  const events = Array.from({ length: 200 }, (_, at) => {
    const pid = at % 3;
    return { cpu: at % 2, ns: start + at * 1234, pid, data: switchData(pid, 0n, (at + 1) % 3) };
  });
  const out = join(scratchDir(test), 'clock.dat');
  await convertRecording(await madeRecording(test, events, clock), { out, version });
  return out;
}

describe('trace-host report of times', { skip: traceCmdSkip() }, () => {
  for (const [clock, options] of Object.entries(clocks))
    for (const version of [6, 7] as const)
      it(`by clock ${clock}, in version ${version}, is the same as trace-cmd's`, async (test) => {
        const file = await fileOf(test, clock, version);
        for (const args of options)
          assert.equal(await reportDifference(traceCmd, traceHost, [...args, '-i', file]), undefined);
      });
});
