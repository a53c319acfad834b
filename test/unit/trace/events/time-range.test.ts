import assert from 'node:assert/strict';
import fs, { writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { convert, type ConvertSettings } from '../../../../src/trace/convert/convert.ts';
import { readInfo } from '../../../../src/trace/info.ts';
import { type EventFilter, openTrace, type Trace } from '../../../../src/trace/open.ts';
import { PageCursor } from '../../../../src/trace/ring/page-cursor.ts';
import { guestLayout } from '../fixtures.ts';
import { recordingDir, sampleMetadata, samplePages, scratchDir, writeRaws } from '../samples.ts';

const pageBytes = 4096;

/** The pages `times` times in a row, each time a second later than the time before. */
function repeated(pages: Uint8Array, times: number): Buffer {
  const all = Buffer.concat(Array.from({ length: times }, () => pages));
  for (let at = 0; at < all.length; at += pageBytes) {
    const shift = BigInt(Math.floor(at / pages.length)) * 20_000_000_000n;
    all.writeBigUInt64LE(all.readBigUInt64LE(at) + shift, at);
  }
  return all;
}

async function datOf(
  test: TestContext,
  pages: Record<number, Uint8Array>,
  shape: Partial<ConvertSettings> = {},
): Promise<string> {
  const dir = scratchDir(test);
  const out = join(dir, 'trace.dat');
  await convert({ cpus: writeRaws(dir, pages), metadata: await sampleMetadata('A'), out, ...shape });
  return out;
}

async function timesOf(trace: Trace, filter: EventFilter = {}): Promise<bigint[]> {
  const times: bigint[] = [];
  for await (const batch of trace.events(filter)) for (const { timestamp } of batch) times.push(timestamp);
  return times;
}

function byTime(a: bigint, b: bigint): number {
  return a < b ? -1 : Number(a > b);
}

/** Bytes that `work` reads from files. */
async function bytesRead(test: TestContext, work: () => Promise<void>): Promise<number> {
  let bytes = 0;
  const { readSync } = fs;
  const counted = (...args: unknown[]): number => {
    const read: number = Reflect.apply(readSync, fs, args);
    bytes += read;
    return read;
  };
  const mock = test.mock.method(fs, 'readSync', counted);
  syncBuiltinESMExports();
  try {
    await work();
  } finally {
    mock.mock.restore();
    syncBuiltinESMExports();
  }
  return bytes;
}

const shapes: Readonly<
  Record<string, (test: TestContext, pages: Record<number, Uint8Array>) => Promise<string>>
> = {
  'a trace.dat': (test, pages) => datOf(test, pages),
  'a compressed one': (test, pages) => datOf(test, pages, { compress: 'zstd' }),
  "a recording's directory": (test, pages) => {
    const dir = recordingDir(test);
    writeRaws(dir, pages);
    return Promise.resolve(dir);
  },
};

describe('a time range', () => {
  for (const [shape, make] of Object.entries(shapes)) {
    it(`of ${shape} takes the events of that time, wherever it begins and ends`, async (test) => {
      const pages = Object.fromEntries(
        Object.entries(samplePages('A')).map(([cpu, bytes]) => [cpu, repeated(bytes, 2)]),
      );
      const trace = await openTrace(await make(test, pages));
      test.after(() => trace.close());
      const all = await timesOf(trace);
      assert.deepEqual(trace.span(), { first: all[0], last: all.at(-1) });
      for (const at of [0, 1, 700, 21_842, 21_843, 40_000, all.length - 1])
        for (const by of [0n, 1n]) {
          const from = all[at]! + by;
          const to = all[Math.min(all.length - 1, at + 500)]!;
          assert.deepEqual(
            await timesOf(trace, { from, to }),
            all.filter((time) => time >= from && time <= to),
            `from ${at}`,
          );
        }
      assert.deepEqual(await timesOf(trace, { from: all.at(-1)! + 1n }), []);
      assert.deepEqual(await timesOf(trace, { to: all[0]! - 1n }), []);
    });

    it(`at the end of ${shape} reads little of it`, async (test) => {
      const path = await make(test, { 0: repeated(samplePages('A')[0]!, 100) });
      const trace = await openTrace(path);
      test.after(() => trace.close());
      const all = await bytesRead(test, async () => void (await timesOf(trace)));
      const end = await bytesRead(test, async () => {
        const last = trace.span()!.last;
        const found = await timesOf(trace, { from: last - 1_000_000n });
        assert.ok(found.length > 1 && found.at(-1) === last);
      });
      const first = trace.span()!.first;
      const begin = await bytesRead(test, async () => void (await timesOf(trace, { to: first })));
      // a probe of a compressed trace is a chunk
      const most = shape === 'a compressed one' ? all / 8 : all / 20;
      assert.ok(end < most, `${end} of ${all}`);
      assert.ok(begin < most + (1 << 20), `${begin} of ${all}`);
    });

    it(`of ${shape} loses nothing where the clock stepped back, or the pages of two CPUs are mixed`, async (test) => {
      const [pages, other] = [samplePages('A')[0]!, samplePages('A')[1]!];
      const half = pageBytes * 69;
      // later, then the same time again
      const steppedBack = Buffer.concat([pages, pages]);
      const mixed: Uint8Array[] = [];
      for (let at = 0; at < other.length; at += pageBytes)
        mixed.push(pages.subarray(at, at + pageBytes), other.subarray(at, at + pageBytes));
      const swapped = Buffer.concat([pages.subarray(half), pages.subarray(0, half)]);
      for (const bytes of [steppedBack, Buffer.concat(mixed), swapped]) {
        const path = await make(test, { 0: bytes });
        const [buffer] = (await readInfo(path)).buffers;
        assert.ok(buffer!.stepsBack > 0);
        const trace = await openTrace(path);
        const all = await timesOf(trace);
        const sorted = all.toSorted(byTime);
        for (const part of [0.1, 0.3, 0.5, 0.7, 0.9]) {
          const from = sorted[Math.floor(part * sorted.length)]!;
          const to = sorted[Math.floor(part * sorted.length) + 100]!;
          // a CPU whose time steps back merges with others in another order if some of its events are left out
          assert.deepEqual(
            (await timesOf(trace, { from, to })).toSorted(byTime),
            sorted.filter((time) => time >= from && time <= to),
          );
        }
        await trace.close();
      }
    });
  }

  it('takes in what a page has of the time at which the next page begins', async (test) => {
    const pages = Buffer.from(samplePages('A')[0]!);
    const cursor = new PageCursor(await guestLayout());
    for (const page of [40, 90]) {
      cursor.load(pages.subarray(page * pageBytes, (page + 1) * pageBytes));
      while (cursor.next());
      pages.writeBigUInt64LE(cursor.timestamp, (page + 1) * pageBytes);
    }
    const trace = await openTrace(await datOf(test, { 0: pages }));
    test.after(() => trace.close());
    const all = await timesOf(trace);
    const twice = all.filter((time, at) => time === all[at + 1]);
    assert.ok(twice.length >= 2);
    for (const from of twice)
      assert.deepEqual(
        await timesOf(trace, { from }),
        all.filter((time) => time >= from),
      );
  });

  it('keeps the losses between the events that it takes', async (test) => {
    const trace = await openTrace(await datOf(test, samplePages('A')));
    test.after(() => trace.close());
    const losses = async (filter: EventFilter): Promise<(bigint | 'unknown')[]> => {
      const found: (bigint | 'unknown')[] = [];
      for await (const batch of trace.events(filter))
        for (const { lost } of batch) if (lost !== undefined) found.push(lost);
      return found;
    };
    assert.deepEqual(await losses({}), [35_899n]);
    let after = 0n;
    for await (const batch of trace.events())
      for (const { lost, timestamp } of batch) if (lost) after = timestamp;
    assert.deepEqual(await losses({ from: after }), [35_899n]);
    assert.deepEqual(await losses({ from: after + 1n }), []);
    assert.deepEqual(await losses({ from: after - 10_000_000_000n, where: ['sched_switch'] }), [35_899n]);
  });

  it('has pages without events, and such that cannot be read', async (test) => {
    const pages = Buffer.from(samplePages('A')[0]!);
    const dir = recordingDir(test);
    writeRaws(dir, { 0: pages, 1: new Uint8Array(0) });
    const whole = await openTrace(dir);
    const all = await timesOf(whole);
    await whole.close();
    // no data, and a size that no page has
    for (const page of [0, 60, 61, 62, 137]) pages.fill(0, page * pageBytes, page * pageBytes + pageBytes);
    pages.writeUInt32LE(0x7f_ffff, 90 * pageBytes + 8);
    writeFileSync(join(dir, 'cpu0.raw'), pages);
    const trace = await openTrace(dir);
    test.after(() => trace.close());
    const left = await timesOf(trace);
    assert.ok(left.length < all.length);
    for (let at = 0; at < left.length; at += 997) {
      const from = left[at]!;
      assert.deepEqual(
        await timesOf(trace, { from }),
        left.filter((time) => time >= from),
        `from ${at}`,
      );
    }
    assert.deepEqual(trace.span(), { first: left[0], last: left.at(-1) });
  });
});
