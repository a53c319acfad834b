import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { Failure } from '../../../../src/base/failure.ts';
import { framesOf } from '../../../../src/trace/framed/frames.ts';
import { encodeHead, frameHeaderSize, frameKinds, headSize } from '../../../../src/protocol/frames.ts';
import { thorough } from '../../../set.ts';
import { head, otherFrame, pagesFrame, readStream, type ReadStream, sync, withFile } from './stream.ts';

const pageBytes = 4096;

/** Bytes of a CPU's pages, all different. */
function pagesOf(cpu: number, from: number, count: number): Buffer {
  const pages = Buffer.alloc(count * pageBytes);
  for (let at = 0; at < pages.length; at += 4)
    pages.writeUInt32LE((cpu << 28) + from * pageBytes + at + 1, at);
  return pages;
}

/** A stream of two CPUs: runs of pages in turn, the archives and the totals. */
function sample(): { readonly stream: Buffer; readonly pages: readonly [Buffer, Buffer] } {
  const rows = [3, 1, 2, 4];
  const pieces = [
    head(pageBytes),
    otherFrame(frameKinds.about, { cpus: [0, 1, 5], clock: 'mono' }),
    otherFrame(frameKinds.metadata, Buffer.from('archive')),
  ];
  let done = 0;
  for (const count of rows) {
    for (const cpu of [0, 1]) pieces.push(pagesFrame(cpu, done * pageBytes, pagesOf(cpu, done, count)));
    done += count;
  }
  const bytes = done * pageBytes;
  const end = { cpus: { 0: { bytes, ring: null }, 1: { bytes, ring: null } } };
  pieces.push(otherFrame(frameKinds.laterMetadata, Buffer.from('later')), otherFrame(frameKinds.end, end));
  return { stream: Buffer.concat(pieces), pages: [pagesOf(0, 0, done), pagesOf(1, 0, done)] };
}

const none = Buffer.alloc(0);

describe('a framed stream', () => {
  it('yields the pages of each CPU, and the metadata', async () => {
    const { stream, pages } = sample();
    const { trace, pages: found } = await readStream(stream);
    assert.deepEqual([...found.keys()], [0, 1, 5]);
    for (const cpu of [0, 1] as const) assert.ok(found.get(cpu)?.equals(pages[cpu]));
    assert.equal(found.get(5)?.length, 0);
    assert.equal(trace.clock, 'mono');
    assert.equal(trace.metadata?.toString(), 'archive');
    assert.equal(trace.laterMetadata?.toString(), 'later');
    assert.deepEqual(trace.account?.get(1), { bytes: pages[1].length, ring: null });
    assert.deepEqual([trace.strayBytes, trace.another], [0, false]);
  });

  it('that is cut off anywhere yields its complete parts', async () => {
    const { stream, pages } = sample();
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: headSize, max: stream.length - 1 }), async (cut) => {
        const { trace, pages: found } = await readStream(stream.subarray(0, cut));
        assert.equal(trace.account, undefined, 'no end');
        let whole = 0;
        for (const cpu of [0, 1] as const) {
          const own = found.get(cpu) ?? none;
          assert.equal(own.length % pageBytes, 0);
          assert.ok(own.equals(pages[cpu].subarray(0, own.length)));
          whole += own.length;
        }
        // For each CPU, less than a page may be missing, and the frames' headers.
        const heads = 11 * frameHeaderSize + headSize + 200;
        assert.ok(whole >= Math.min(cut, 2 * pages[0].length) - heads - pageBytes, `${whole} of ${cut}`);
      }),
      { numRuns: thorough(500) },
    );
  });

  it('with changed or missing bytes is read, or refused with a Failure, and no page goes to another CPU', async () => {
    const { stream } = sample();
    let answers = 0;
    const edit = fc.tuple(fc.nat(stream.length - 1), fc.option(fc.nat(0xff)), fc.nat(9000));
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { maxLength: 3 }), async (edits) => {
        let bytes = Buffer.from(stream);
        for (const [at, value, length] of edits) {
          if (value === null) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
          else if (at < bytes.length) bytes[at] = value;
        }
        let read: ReadStream;
        try {
          // A stream with a damaged head is not recognised, so use the original head.
          read = await readStream(Buffer.concat([stream.subarray(0, 8), bytes.subarray(8)]));
        } catch (error) {
          assert.ok(error instanceof Failure, String(error instanceof Error ? error.stack : error));
          return;
        }
        answers += 1;
        const total = [...read.pages.values()].reduce((sum, { length }) => sum + length, 0);
        assert.ok(total <= bytes.length, 'no byte is in it twice');
        if (edits.some(([, value]) => value === null)) return;
        // A changed header is not recognised, so only the changed bytes themselves may go to another CPU.
        for (const cpu of [0, 1] as const) {
          const own = read.pages.get(cpu) ?? none;
          let foreign = 0;
          for (let at = 3; at < own.length; at += 4) if ((own[at] ?? 0) >> 4 !== cpu) foreign += 1;
          assert.ok(foreign <= edits.length, `${foreign} words of CPU ${cpu}`);
        }
      }),
      { numRuns: thorough(2000), examples: [[[]]] },
    );
    assert.ok(answers > 0);
  });

  it('in which later frames cut a frame off is reassembled, also in the middle of a page', async () => {
    const [a, b] = [pagesOf(0, 0, 4), pagesOf(1, 0, 2)];
    for (const cut of [0, 1, 31, 32, 4095, 4096, 5000, 16_383]) {
      const stream = Buffer.concat([
        head(pageBytes),
        pagesFrame(0, 0, a.subarray(0, cut), a.length),
        pagesFrame(1, 0, b),
        pagesFrame(0, cut, a.subarray(cut)),
      ]);
      const { trace, pages } = await readStream(stream);
      assert.ok(pages.get(0)?.equals(a) === true && pages.get(1)?.equals(b) === true, `cut at ${cut}`);
      assert.equal(trace.strayBytes, 0);
    }
  });

  it('with headers by chance where a cut-off frame should have ended is still read', async () => {
    const a = pagesOf(0, 0, 4);
    // The frame claims a size with which it ends where the second frame of the other CPU begins.
    const claimed = frameHeaderSize + 2 * pageBytes;
    const stream = Buffer.concat([
      head(pageBytes),
      pagesFrame(0, 0, none, claimed),
      pagesFrame(1, 0, pagesOf(1, 0, 2)),
      pagesFrame(1, 2 * pageBytes, pagesOf(1, 2, 1)),
      pagesFrame(0, 0, a),
    ]);
    const { pages } = await readStream(stream);
    assert.ok(pages.get(0)?.equals(a));
    assert.ok(pages.get(1)?.equals(pagesOf(1, 0, 3)));
  });

  it('with missing bytes yields the other pages', async () => {
    const a = pagesOf(0, 0, 4);
    const stream = Buffer.concat([
      head(pageBytes),
      pagesFrame(0, 0, a.subarray(0, 5000)),
      pagesFrame(0, 6000, a.subarray(6000)),
    ]);
    const { pages } = await readStream(stream);
    assert.ok(pages.get(0)?.equals(Buffer.concat([a.subarray(0, 4096), a.subarray(8192)])));
  });

  it('to which its agent still appends ends where it ended when opened', async () => {
    const later = otherFrame(frameKinds.end, { cpus: {} });
    const first = Buffer.concat([head(pageBytes), pagesFrame(0, 0, Buffer.alloc(pageBytes, 1))]);
    await withFile(Buffer.concat([first, later]), async (file) => {
      for (const thorough of [false, true]) {
        for (const end of [first.length, first.length + 5]) {
          const kinds: number[] = [];
          for await (const { kind } of framesOf(file, sync, headSize, end, thorough)) {
            kinds.push(kind);
            assert.ok(kinds.length < 10, 'it has an end');
          }
          assert.deepEqual(kinds, [frameKinds.pages]);
        }
      }
    });
  });

  it('that is followed by another stream is reported', async () => {
    const { stream, pages } = sample();
    const other = Buffer.concat([encodeHead({ pageBytes, sync: Buffer.alloc(8, 0x77) }), pages[1]]);
    const { trace, pages: found } = await readStream(Buffer.concat([stream, other]));
    assert.deepEqual([trace.another, trace.strayBytes], [true, other.length]);
    assert.ok(found.get(0)?.equals(pages[0]));
  });

  it('of another version, or with an impossible page size, is refused', async () => {
    const newer = head(pageBytes);
    newer.writeUInt32LE(2, 8);
    await assert.rejects(readStream(newer), {
      name: 'Failure',
      message: /version is 2; only version 1 is supported/,
    });
    for (const bytes of [0, 1, 4095, 0xffff_ffff, 1 << 21])
      await assert.rejects(readStream(head(bytes)), {
        name: 'Failure',
        message: /bytes is not a possible page size/,
      });
  });

  it('allocates no memory for forged sizes, and refuses an impossible CPU', async () => {
    const huge = pagesFrame(1, 0, none, 0xffff_ffff);
    const claims = [
      otherFrame(frameKinds.end, { cpus: { 99999: { bytes: 1 }, x: { bytes: 1 }, 2: { bytes: -1 }, 3: 7 } }),
      otherFrame(frameKinds.about, { cpus: [0, -1, 1.5, 8192, 'x', null], clock: '../../x' }),
      pagesFrame(60_000, 0, pagesOf(0, 0, 1)),
      pagesFrame(0, Number.MAX_SAFE_INTEGER, pagesOf(0, 0, 1)),
      huge,
    ];
    const { trace } = await readStream(Buffer.concat([head(pageBytes), ...claims]));
    assert.deepEqual(new Set(trace.cpus.keys()), new Set([0, 1]));
    assert.deepEqual(trace.account, new Map());
    assert.equal(trace.clock, null);
    assert.equal(trace.strayBytes, pageBytes);
    // An archive with a claimed size of 4 GiB is incomplete, so it is not read.
    const archive = otherFrame(frameKinds.metadata, none);
    archive.writeUInt32LE(0xffff_ffff, 12);
    const { trace: other } = await readStream(Buffer.concat([head(pageBytes), archive]));
    assert.equal(other.metadata, undefined);
  });

  it('has no archive if it was cut off, even if other frames follow', async () => {
    const archive = otherFrame(frameKinds.metadata, Buffer.alloc(10_000, 7));
    const page = pagesOf(0, 0, 1);
    const stream = Buffer.concat([head(pageBytes), archive.subarray(0, 6000), pagesFrame(0, 0, page)]);
    const { trace, pages } = await readStream(stream);
    assert.equal(trace.metadata, undefined);
    assert.ok(pages.get(0)?.equals(page));
    const more = Buffer.concat([stream, Buffer.alloc(10_000)]);
    assert.equal((await readStream(more)).trace.metadata, undefined);
  });

  it('with nothing but headers costs no more than its length', { timeout: 60_000 }, async () => {
    const one = pagesFrame(0, 0, none, 8192);
    const stream = Buffer.concat([head(pageBytes), ...Array.from({ length: 50_000 }, () => one)]);
    const { trace } = await readStream(stream);
    assert.equal(trace.cpus.get(0)?.end, 0);
    assert.ok(sync.length === 8);
  });
});
