import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { parallelReport, type Parallel } from '../../../../src/print/parallel/parallel-report.ts';
import { localThread } from '../../../../src/print/parallel/local-thread.ts';
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
import { thorough } from '../../../set.ts';
import { Random } from '../../../mutated/random.ts';
import { fromFile, namelessSample, repeated, written } from './long-traces.ts';

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

const small: Parallel = { threads: 2, leastBytes: 0, partBytes: 16 << 10, start: localThread };

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

/** Changes pages of an uncompressed file as no kernel leaves them: times step back, events are lost, records broken. */
async function damage(path: string, random: Random): Promise<void> {
  const trace = await openTrace(path);
  const { cpus } = trace.source.buffers[0]!;
  await trace.close();
  const file = readFileSync(path);
  for (const { offset, dataBytes } of cpus) {
    const bytes = file.subarray(offset, offset! + dataBytes);
    for (let change = random.below(6); change > 0; change--) {
      const at = random.below(bytes.length / 4096) * 4096;
      const other = random.below(bytes.length / 4096) * 4096;
      const time = bytes.readBigUInt64LE(at);
      const step = BigInt(random.below(2 ** 32)) << BigInt(random.below(8));
      random.pick([
        () => bytes.writeBigUInt64LE(time > step ? time - step : 0n, at),
        () => bytes.writeBigUInt64LE(time + step, at),
        // the flag for lost events, whose number is not stored
        () => bytes.writeUInt32LE((bytes.readUInt32LE(at + 8) | 0x8000_0000) >>> 0, at + 8),
        () => bytes.writeUInt32LE(random.below(2 ** 32), at + random.below(1023) * 4),
        () => bytes.copyWithin(at, other, other + 4096),
        // no events, or more than fit
        () => bytes.writeUInt32LE(0, at + 8),
        () => bytes.writeUInt32LE(0xffff, at + 8),
      ])();
    }
  }
  writeFileSync(path, file);
}

/** @returns the options with which threads did not print everything */
async function compareAll(path: string, parallel = small): Promise<Options[]> {
  const others: Options[] = [];
  for (const options of all) if (!(await compare([{ path }], options, parallel))) others.push(options);
  return others;
}

describe('several threads print what one prints', { timeout: 600_000 }, () => {
  const names = reportFixtures().filter((name) => !/odd/.test(name));
  for (const name of names)
    it(name, async (context) => {
      const long = await fromFile(join(reportFixtureDir, `${name}.dat`), /events/.test(name) ? 2 : 6);
      const path = await written(context, long, false);
      const others = await compareAll(path);
      // text that turns out to be bytes changes later lines of -R, and one CPU's pages may be too few
      const expected = others.filter(({ raw, wakeups, filter }) => raw ?? wakeups ?? filter?.cpus);
      assert.deepEqual(others, expected);
      await compare([{ path }], {}, { ...small, partBytes: 4096, threads: 3 });
      await compare([{ path: await written(context, long, true) }], {});
    });

  it('without the names of tasks', async (context) => {
    const path = await written(context, await namelessSample(), false);
    const others = await compareAll(path, { ...small, partBytes: 50 << 10 });
    assert.deepEqual(others, [{ wakeups: true }]);
  });

  it('text that turns out to be bytes, which changes later lines', async (context) => {
    const path = await written(context, await fromFile(join(reportFixtureDir, 'guest-events.dat'), 6), false);
    assert.equal(await compare([{ path }], { latency: true, raw: true }), false);
  });

  it('a range of times', async (context) => {
    const path = await written(context, await namelessSample(), false);
    const trace = await openTrace(path);
    const { first, last } = trace.span()!;
    await trace.close();
    const quarter = (last - first) / 4n;
    for (const filter of [
      { from: first + quarter },
      { to: last - quarter },
      { from: first + quarter, to: last - quarter },
      { from: last + 1n },
    ])
      await compare([{ path }], { filter, nanoseconds: true });
  });

  it('several files', async (context) => {
    const long = await fromFile(join(reportFixtureDir, 'guest-stacks.dat'), 6);
    const other = await fromFile(join(reportFixtureDir, 'guest-function.dat'), 6);
    const [a, b] = [await written(context, long, false), await written(context, other, true)];
    for (const options of [{}, { latency: true }, { timeDifference: true }, { alignTimes: true }]) {
      const isWhole = await compare([{ path: a }, { path: b }], options);
      assert.equal(isWhole, !('alignTimes' in options));
      await compare([{ path: a, timeOffset: 1_000_000n }, { path: b }, { path: a }], options);
      await compare([{ path: a, timeOffset: -1_000_000n }, { path: b }], options);
      await compare([{ path: a, clockHz: 1e6 }, { path: b }], options);
    }
    assert.ok(await compare([{ path: a, clockHz: 1e6 }], { timeDifference: true }));
  });

  it('in threads', async (context) => {
    const { contents, pages } = await namelessSample();
    const path = await written(context, { contents, pages: { 1: repeated(pages[1]!, 4) } }, false);
    const { start: _, ...threads } = { ...small, partBytes: 50 << 10 };
    assert.ok(await compare([{ path }], { timeDifference: true }, threads));
  });

  it('damaged pages', async (context) => {
    const sources = ['guest-graph', 'guest612-graph', 'guest-function', 'guest-stacks', 'guest-printk'];
    const longs = await Promise.all(
      sources.map((name) => fromFile(join(reportFixtureDir, `${name}.dat`), 4)),
    );
    for (let seed = 0; seed < thorough(1000); seed++) {
      const random = new Random(seed);
      const path = await written(context, random.pick(longs), false);
      await damage(path, random);
      const options = random.pick(all);
      await compare([{ path }], options, { ...small, partBytes: (1 + random.below(4)) * 4096 });
    }
  });
});
