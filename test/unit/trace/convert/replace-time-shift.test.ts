import assert from 'node:assert/strict';
import {
  chmodSync,
  lstatSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { convert, type ConvertSettings } from '../../../../src/trace/convert/convert.ts';
import { replaceTimeShift } from '../../../../src/trace/convert/replace-time-shift.ts';
import { qualityNote, withoutQuality } from '../../../../src/trace/dat/clock-quality.ts';
import type { TimeShift } from '../../../../src/trace/dat/time-shift.ts';
import { infoAsJson, readInfo } from '../../../../src/trace/info.ts';
import { ByteWriter } from '../../../../src/trace/dat/write/byte-writer.ts';
import { openTrace } from '../../../../src/trace/open.ts';
import { fixture } from '../fixtures.ts';
import { sampleMetadata, samplePages, scratchDir, writeRaws } from '../samples.ts';

const quality = {
  boundNs: 4321,
  medianBoundNs: 1234,
  methods: ['ping', 'exclusion'],
  samples: 93,
  violations: 2,
};

/** A shift with so many samples, whose size decides how far a version 6 file's pages move. */
function shiftOf(samples: number): TimeShift {
  const cpu = Array.from({ length: samples }, (_, index) => ({
    time: BigInt(index) * 10n ** 9n,
    offset: 5_000_000n + BigInt(index),
    scale: 1n,
    fractionBits: 0n,
  }));
  return { peerId: 77n, interpolates: true, cpus: [cpu, cpu], quality };
}

async function guestFile(test: TestContext, shape: Partial<ConvertSettings>): Promise<string> {
  const dir = scratchDir(test);
  const out = join(dir, 'guest.dat');
  const cpus = writeRaws(
    dir,
    Object.fromEntries(
      Object.entries(samplePages('A')).map(([cpu, pages]) => [cpu, pages.slice(0, 20 * 4096)]),
    ),
  );
  const { interpolates, cpus: samples } = shiftOf(2);
  const timeShift = { peerId: 1n, interpolates, cpus: samples };
  await convert({ cpus, metadata: await sampleMetadata('A'), out, timeShift, ...shape });
  return out;
}

/** All that a file says besides the shift, and where its pages are. */
async function contentsOf(path: string): Promise<object> {
  const info = await readInfo(path);
  const trace = await openTrace(path, { hostTimes: false });
  const { kallsyms, printkFormats, taskNames, statTexts, formatTexts, buffers } = trace.source;
  const texts = [kallsyms(), printkFormats(), taskNames, statTexts, [...formatTexts()]];
  for (const { cpus } of buffers)
    for (const { offset, dataBytes } of cpus) if (dataBytes > 0) assert.equal((offset ?? 0) % 4096, 0);
  const events: string[] = [];
  for await (const batch of trace.events())
    for (const { timestamp, cpu, name, buffer } of batch)
      events.push(`${timestamp} ${cpu} ${name} ${buffer}`);
  await trace.close();
  return { info: infoAsJson({ ...info, totalBytes: 0, timeShift: undefined }), texts, events };
}

describe('another TIME_SHIFT', () => {
  for (const shape of [{ version: 7 }, { version: 7, compress: 'zstd' }, { version: 6 }] as const)
    it(`leaves everything else of a file as it was: ${JSON.stringify(shape)}`, async (test) => {
      const pauses = [{ hostFrom: '1', pausedFrom: '2', pausedTo: '3', hostTo: '4' }];
      const path = await guestFile(test, { ...shape, pauses });
      assert.deepEqual((await readInfo(path)).pauses, pauses);
      const before = await contentsOf(path);
      chmodSync(path, 0o640);
      for (const samples of [1, 700, 3, 40, 2]) {
        const shift = shiftOf(samples);
        await replaceTimeShift(path, shift);
        assert.deepEqual((await readInfo(path)).timeShift, shift);
        assert.deepEqual(await contentsOf(path), before);
      }
      const size = statSync(path).size;
      await replaceTimeShift(path, shiftOf(2));
      assert.equal(statSync(path).size, size, 'it grows each time');
      assert.equal(statSync(path).mode & 0o777, 0o640);
    });

  it('moves the pages of all instances of a version 6 file', async (test) => {
    const path = join(scratchDir(test), 'two.dat');
    writeFileSync(path, fixture('unusual/two-instances-v6.dat.gz'));
    const before = await contentsOf(path);
    for (const samples of [900, 1]) {
      await replaceTimeShift(path, shiftOf(samples));
      assert.deepEqual(await contentsOf(path), before);
    }
  });

  it('replaces the target of a link, and leaves the file as it was after a signal or in a bad directory', async (test) => {
    const path = await guestFile(test, { version: 6 });
    const link = join(scratchDir(test), 'link.dat');
    symlinkSync(path, link);
    const old = readFileSync(path);
    const stop = AbortSignal.abort(new Error('stopped'));
    await assert.rejects(replaceTimeShift(link, shiftOf(2), stop), /stopped/);
    assert.deepEqual(readFileSync(path), old);
    await replaceTimeShift(link, shiftOf(2));
    assert.ok(lstatSync(link).isSymbolicLink());
    assert.notDeepEqual(readFileSync(path), old);
    assert.deepEqual(readdirSync(dirname(path)).toSorted(), ['cpu0.raw', 'cpu1.raw', 'guest.dat']);
  });

  it('is refused for a file with more options than any has', async (test) => {
    const path = await guestFile(test, { version: 7 });
    const old = readFileSync(path);
    const pointer = old.indexOf('none') + 'none'.length + 2;
    const option = new ByteWriter()
      .u16(99)
      .u32(33 << 20)
      .bytes(Buffer.alloc(33 << 20));
    const done = new ByteWriter()
      .u16(0)
      .u32(8)
      .bytes(old.subarray(pointer, pointer + 8))
      .finish();
    const payload = Buffer.concat([option.finish(), option.finish(), done]);
    const head = new ByteWriter().u16(0).u16(0).u32(0).u64(payload.length).finish();
    const bytes = Buffer.concat([old, head, payload]);
    bytes.writeBigUInt64LE(BigInt(old.length), pointer);
    writeFileSync(path, bytes);
    await assert.rejects(replaceTimeShift(path, shiftOf(2)), /more than 67108864 bytes of options/);
    assert.ok(readFileSync(path).equals(bytes));
  });

  it('is refused for a file that is cut off, or none', async (test) => {
    const path = await guestFile(test, { version: 7 });
    for (const bytes of [readFileSync(path).subarray(0, -50), Buffer.from('x')]) {
      writeFileSync(path, bytes);
      await assert.rejects(replaceTimeShift(path, shiftOf(2)), /trace\.dat/);
      assert.deepEqual(readFileSync(path), bytes);
    }
  });
});

describe('the note of the quality of a TIME_SHIFT', () => {
  it('is read back, after any other note', () => {
    for (const writer of ['', '3.1.6 (not-a-git-repo)', 'virtio-trace 1 (without trace_marker)'])
      assert.deepEqual(withoutQuality(`${writer}${qualityNote(quality)}`), { writer, quality });
  });

  it('is not seen in another text', () => {
    for (const writer of [
      '',
      'a (host times by',
      ` (host times by ${'x'.repeat(400)}`,
      `${qualityNote(quality)}x`,
    ])
      assert.deepEqual(withoutQuality(writer), { writer });
  });
});
