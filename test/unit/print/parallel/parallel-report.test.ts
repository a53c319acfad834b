import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { MessageChannel } from 'node:worker_threads';
import { parallelReport, type Parallel } from '../../../../src/print/parallel/parallel-report.ts';
import { servePrinting } from '../../../../src/print/parallel/serve-printing.ts';
import type { ThreadSetup } from '../../../../src/print/parallel/messages.ts';
import type { ThreadPort } from '../../../../src/print/parallel/threads.ts';
import {
  defaultHandlerOptions,
  defaultLineOptions,
  type ReportInput,
  type ReportOptions,
} from '../../../../src/print/report/options.ts';
import { report } from '../../../../src/print/report/report.ts';
import { type EventFilter, openTrace } from '../../../../src/trace/open.ts';
import { bytesDifference } from '../../../report/compare.ts';
import { reportFixtureDir, reportFixtures } from '../../../report/fixtures.ts';
import { fromFile, namelessSample, written } from './long-traces.ts';

type Options = Partial<ReportOptions> & { readonly filter?: EventFilter };

const handlers = defaultHandlerOptions;

/** Options that change what is printed, or on what it depends. */
const all: readonly Options[] = [
  {},
  { noPlugins: true },
  { raw: true, nanoseconds: true },
  { latency: true, withoutFlags: 8 },
  { latency: true, raw: true },
  { timeDifference: true },
  { timeDifference: true, nanoseconds: true, latency: true },
  { rawTimes: true, timeDifference: true },
  { alignTimes: true },
  { wakeups: true },
  { rawEvents: [/^sched.*$/i], noHandlerEvents: [/^funcgraph_entry$/] },
  { handlers: { ...handlers, parent: true, offset: true, tailprint: true, depth: true } },
  { handlers: { ...handlers, indent: false } },
  { filter: { cpus: [1] } },
  { filter: { where: ['.*:common_pid > 100'], exclude: ['.*:CPU == 1 && common_pid == 1'] } },
  { filter: { where: ['.*:COMM =~ "s"'] }, timeDifference: true },
];

/** A printing thread in this thread. */
function startHere(setup: ThreadSetup): ThreadPort {
  const { port1, port2 } = new MessageChannel();
  servePrinting(port2, setup);
  return Object.assign(port1, {
    terminate: async () => {
      port1.close();
      port2.close();
    },
  }) as unknown as ThreadPort;
}

interface Printed {
  readonly text: Buffer;
  readonly said: readonly string[];
  /** Undefined if threads printed everything. */
  readonly byThreads: number | undefined;
}

/** Opens the files, and prints them with several threads, or with one. */
async function printed(
  files: readonly { path: string; timeOffset?: bigint; clockHz?: number }[],
  { filter = {}, ...more }: Options,
  parallel: Parallel | undefined,
): Promise<Printed> {
  const inputs: ReportInput[] = [];
  for (const { path, timeOffset = 0n, clockHz } of files)
    inputs.push({ trace: await openTrace(path), label: 'a file', timeOffset, clockHz });
  const options: ReportOptions = {
    ...defaultLineOptions,
    filterOf: () => filter,
    withoutFlags: 0,
    wakeups: false,
    alignTimes: false,
    ...more,
  };
  const pieces: Buffer[] = [];
  const said = new Set<string>();
  const write = (bytes: Uint8Array): Promise<void> => {
    pieces.push(Buffer.from(bytes));
    return Promise.resolve();
  };
  const say = (name: string, reason: string): void => void said.add(`${name}: ${reason}`);
  try {
    const byThreads =
      parallel === undefined
        ? await report(inputs, options, write, say).then(() => 0)
        : await parallelReport(inputs, options, parallel, write, say);
    return { text: Buffer.concat(pieces), said: [...said], byThreads };
  } finally {
    for (const { trace } of inputs) await trace.close();
  }
}

const small: Parallel = { threads: 2, leastBytes: 0, partBytes: 16 << 10, start: startHere };

/** Prints with one thread and with several. @returns whether threads printed all of it */
async function compare(
  files: Parameters<typeof printed>[0],
  options: Options,
  parallel = small,
): Promise<boolean> {
  const [one, several] = [await printed(files, options, undefined), await printed(files, options, parallel)];
  const what = `${files.map(({ path }) => path).join()} ${JSON.stringify(options, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))}`;
  assert.equal(await bytesDifference(one.text, several.text), undefined, what);
  assert.deepEqual(several.said, one.said, what);
  return several.byThreads === undefined;
}

/** @returns the options with which threads did not print everything */
async function compareAll(path: string, parallel = small): Promise<Options[]> {
  const others: Options[] = [];
  for (const options of all) if (!(await compare([{ path }], options, parallel))) others.push(options);
  return others;
}

describe('several threads print what one prints', () => {
  for (const name of reportFixtures().filter((name) => !/odd/.test(name)))
    it(name, async (context) => {
      const path = join(reportFixtureDir, `${name}.dat`);
      const long = await fromFile(path, 6);
      const others = await compareAll(await written(context, long, false));
      // text that turns out to be bytes changes later lines of -R, and one CPU's pages may be too few
      const expected = others.filter(({ raw, wakeups, filter }) => raw ?? wakeups ?? filter?.cpus);
      assert.deepEqual(others, expected);
      await compare([{ path: await written(context, long, true) }], {});
    });

  it('without the names of tasks', async (context) => {
    const path = await written(context, await namelessSample(), false);
    const others = await compareAll(path);
    assert.deepEqual(others, [{ wakeups: true }]);
  });
});
