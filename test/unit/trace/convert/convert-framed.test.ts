import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { gapsText } from '../../../../src/cli/report/framed-report.ts';
import { convert, type ConvertSettings } from '../../../../src/trace/convert/convert.ts';
import { convertFramed, type FramedReport } from '../../../../src/trace/convert/convert-framed.ts';
import { isFramedFile } from '../../../../src/trace/framed/framed-trace.ts';
import { readInfo } from '../../../../src/trace/info.ts';
import { spooled } from '../../../../src/trace/framed/spool.ts';
import { frameKinds } from '../../../../src/protocol/frames.ts';
import { fixture } from '../fixtures.ts';
import { sampleMetadata, samplePages, scratchDir, writeRaws } from '../samples.ts';
import { head, otherFrame, pagesFrame } from '../framed/stream.ts';

type Shape = Pick<ConvertSettings, 'version' | 'compress'>;

const pageBytes = 4096;
const archive = fixture('A/meta.tar.gz', 'packed');
const noRing = { ring: null, ringBefore: null };

/** Pages of two CPUs as workers write them: runs of pages of one and the other, in one stream. */
function streamOf(pages: Readonly<Record<number, Uint8Array>>, end?: object): Buffer {
  const pieces = [head(pageBytes), otherFrame(frameKinds.metadata, archive)];
  const rows = [1, 7, 128, 3, 300];
  const done = new Map<number, number>();
  for (
    let turn = 0;
    Object.entries(pages).some(([cpu, { length }]) => (done.get(Number(cpu)) ?? 0) < length);
  ) {
    for (const [name, bytes] of Object.entries(pages)) {
      const cpu = Number(name);
      const from = done.get(cpu) ?? 0;
      const to = Math.min(bytes.length, from + (rows[turn++ % rows.length] ?? 1) * pageBytes);
      if (to > from) pieces.push(pagesFrame(cpu, from, bytes.subarray(from, to)));
      done.set(cpu, to);
    }
  }
  const cpus = Object.entries(pages).map(([cpu, { length }]) => [cpu, { bytes: length, ...noRing }]);
  pieces.push(otherFrame(frameKinds.end, end ?? { cpus: Object.fromEntries(cpus) }));
  return Buffer.concat(pieces);
}

async function converted(
  test: TestContext,
  stream: Uint8Array,
  shape: Shape = {},
  metadata?: string,
): Promise<FramedReport & { readonly bytes: Buffer }> {
  const dir = scratchDir(test);
  const path = join(dir, 'trace.framed');
  writeFileSync(path, stream);
  const file = await open(path);
  try {
    assert.equal(await isFramedFile(file), true);
    const out = join(dir, 'trace.dat');
    const report = await convertFramed(file, path, metadata, { out, traceId: 7n, ...shape });
    return { ...report, bytes: readFileSync(out) };
  } finally {
    await file.close();
  }
}

describe('convert of a framed stream', () => {
  for (const shape of [{}, { version: 6 }, { compress: 'zstd' }] as const)
    it(`${JSON.stringify(shape)} yields the same file as raw files of each CPU`, async (test) => {
      const dir = scratchDir(test);
      const out = join(dir, 'raw.dat');
      const metadata = await sampleMetadata('A');
      const pages = samplePages('A');
      // Bad pages within frames: the copied ranges then begin there too.
      for (const own of Object.values(pages))
        for (const page of [3, 20, 90]) own.fill(0xff, page * pageBytes + 8, page * pageBytes + 16);
      const raw = await convert({ cpus: writeRaws(dir, pages), metadata, out, traceId: 7n, ...shape });
      const report = await converted(test, streamOf(pages), shape);
      assert.ok(report.bytes.equals(readFileSync(out)));
      assert.equal(report.events, raw.events);
      assert.equal(
        [...report.leftOut.values()].reduce((sum, count) => sum + count, 0),
        6,
      );
      assert.ok(report.cpus.every(({ stepsBack }) => stepsBack === 0));
      assert.deepEqual(gapsText(report.gaps), []);
    });

  it('separates the pages of two CPUs, which one raw file could not', async (test) => {
    const dir = scratchDir(test);
    const pages = samplePages('A');
    const mixed = Buffer.concat(
      [0, 1, 2, 3].flatMap((row) =>
        Object.values(pages).map((own) => own.subarray(row * pageBytes, (row + 1) * pageBytes)),
      ),
    );
    const metadata = await sampleMetadata('A');
    const raw = await convert({ cpus: writeRaws(dir, { 0: mixed }), metadata, out: join(dir, 'raw.dat') });
    assert.ok(raw.cpus.some(({ stepsBack }) => stepsBack > 0));
    const framed = Object.fromEntries(
      Object.entries(pages).map(([cpu, own]) => [cpu, own.subarray(0, 4 * pageBytes)]),
    );
    const report = await converted(test, streamOf(framed));
    assert.deepEqual(
      report.cpus.map(({ cpu, pages: count, stepsBack }) => [cpu, count, stepsBack]),
      [
        [0, 4, 0],
        [1, 4, 0],
      ],
    );
    assert.equal(report.events, raw.events);
  });

  it('reports missing pages, and counts that differ', async (test) => {
    const pages = { 0: samplePages('A')[0]!.slice(0, 8192), 1: samplePages('A')[1]!.slice(0, 4096) };
    const ring = { entries: 0, overrun: 5, commitOverrun: 0, bytes: 0, droppedEvents: 0, readEvents: 10 };
    const cpus = { 0: { bytes: 12_288, ...noRing }, 1: { bytes: 4096, ring, ringBefore: ring } };
    const report = await converted(test, streamOf(pages, { cpus }));
    const events = report.cpus[1]?.events;
    assert.deepEqual(gapsText(report.gaps), [
      'CPU 0: 4096 bytes of its pages are missing from the stream, or part of an incomplete page',
      `CPU 1: the guest's kernel counted 0 events read, but the file has ${events}`,
    ]);
  });

  it('reports a stream without an end, and keeps its whole pages', async (test) => {
    const pages = { 0: samplePages('A')[0]!.slice(0, 40_960) };
    const stream = streamOf(pages);
    const report = await converted(test, stream.subarray(0, stream.length - 12_000));
    const [cut = '', end] = gapsText(report.gaps);
    assert.match(
      cut,
      /^CPU 0: \d{1,4} bytes of its pages are missing from the stream, or part of an incomplete page$/,
    );
    assert.equal(end, "the stream has no end record: the agent's last pages and its totals are missing");
    assert.ok(report.pages >= 6 && report.pages < 10, `${report.pages} pages`);
  });

  it('uses other metadata if the stream has none, and names the option', async (test) => {
    const pages = { 0: samplePages('A')[0]!.slice(0, 8192) };
    const stream = Buffer.concat([head(pageBytes), pagesFrame(0, 0, pages[0])]);
    await assert.rejects(converted(test, stream), { name: 'Failure', remedy: /^add --metadata FILE/ });
    const path = join(scratchDir(test), 'metadata.tar.gz');
    writeFileSync(path, archive);
    assert.equal((await converted(test, stream, {}, path)).pages, 2);
  });
});

describe('info of a framed stream', () => {
  it('reports what the file is, and what to do', async (test) => {
    const path = join(scratchDir(test), 'trace.framed');
    writeFileSync(path, streamOf({ 0: samplePages('A')[0]!.slice(0, 8192) }));
    await assert.rejects(readInfo(path), {
      name: 'Failure',
      message: /: a framed stream/,
      remedy: /convert/,
    });
  });
});

describe('a framed stream from stdin', () => {
  // oxlint-disable-next-line typescript/require-await -- a stream is an async iterable
  async function* chunksOf(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  }

  const stream = Buffer.concat([head(pageBytes), pagesFrame(0, 0, Buffer.alloc(pageBytes, 1))]);

  it('is kept next to the output file, and replaces no other file', async (test) => {
    const dir = scratchDir(test);
    for (const size of [5, 65_536]) {
      const { file, path, broken } = await spooled(chunksOf(stream, size), join(dir, 'trace.dat'));
      assert.deepEqual([readdirSync(dir), broken], [['trace.dat.framed'], undefined]);
      assert.ok((await file.readFile()).equals(stream));
      await file.close();
      await assert.rejects(
        spooled(chunksOf(stream, size), join(dir, 'trace.dat')),
        /already exists, from an earlier/,
      );
      assert.ok(readFileSync(path).equals(stream));
      rmSync(path);
    }
  });

  it('that breaks off is kept up to that point', async (test) => {
    const dir = scratchDir(test);
    async function* breaking(): AsyncGenerator<Uint8Array> {
      yield* chunksOf(stream.subarray(0, -100), 1000);
      throw Object.assign(new Error('read'), { code: 'ECONNRESET', errno: -104 });
    }
    const { file, path, broken } = await spooled(breaking(), join(dir, 'trace.dat'));
    await file.close();
    assert.match(broken?.message ?? '', /ECONNRESET/);
    assert.ok(readFileSync(path).equals(stream.subarray(0, -100)));
  });

  it('is refused before all of it is read when it is not a framed stream, or is empty', async (test) => {
    const out = join(scratchDir(test), 'trace.dat');
    let read = 0;
    async function* raw(): AsyncGenerator<Uint8Array> {
      for (; read < 100; read += 1) yield await Promise.resolve(Buffer.alloc(4096));
    }
    await assert.rejects(spooled(raw(), out), { name: 'Failure', message: /not a framed stream/ });
    assert.ok(read < 2, `${read} pieces`);
    await assert.rejects(spooled(chunksOf(Buffer.alloc(0), 1), out), { name: 'Failure' });
    assert.equal(existsSync(out), false);
    await assert.rejects(spooled(raw(), join(out, 'nowhere', 'x')), {
      name: 'Failure',
      message: /no such directory/,
    });
  });
});
