import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { Failure } from '../../../../src/base/failure.ts';
import { convert, type ConvertSettings } from '../../../../src/trace/convert/convert.ts';
import { infoAsJson, readInfo } from '../../../../src/trace/info.ts';
import { parseMetadata } from '../../../../src/trace/metadata/guest-metadata.ts';
import { fixture } from '../fixtures.ts';
import { sampleContents, samplePages, scratchDir, writeRaws } from '../samples.ts';
import { thorough } from '../../../set.ts';

/** Only one event system and two pages: small, so that most changes matter. */
const contents = new Map(
  [...(await sampleContents('A'))].filter(
    ([name]) => !name.startsWith('events/') || /^events\/(header|ftrace\/print|raw_syscalls)/.test(name),
  ),
);
contents.set('kallsyms', Buffer.from('ffffffff81000000 T _text\n'));

async function written(dir: string, shape: Pick<ConvertSettings, 'version' | 'compress'>): Promise<Buffer> {
  const pages = { 0: samplePages('A')[0]!.slice(0, 8192), 2: samplePages('A')[1]!.slice(0, 4096) };
  const good = join(dir, 'good.dat');
  await convert({ cpus: writeRaws(dir, pages), metadata: parseMetadata(contents), out: good, ...shape });
  return readFileSync(good);
}

describe('info of a hostile file', () => {
  const shapes = [{}, { version: 6 }, { compress: 'zstd' }, 'two instances of version 6'] as const;
  for (const shape of shapes) {
    it(`${JSON.stringify(shape)} with bytes changed, cut or lengthened: a result or a Failure`, async (test) => {
      const dir = scratchDir(test);
      const whole =
        typeof shape === 'string' ? fixture('unusual/two-instances-v6.dat.gz') : await written(dir, shape);
      const bad = join(dir, 'bad.dat');
      // Lengths, offsets and counts are everywhere, so words of extreme values find them better than bytes.
      const word = fc.constantFrom(0, 1, 0x7f, 0xff, 0xffff, 0x7fff_ffff, 0xffff_fff0, 0xffff_ffff);
      const edges = fc.oneof(
        fc.nat(whole.length - 1),
        fc.nat(600),
        fc.nat(600).map((n) => Math.max(0, whole.length - 1 - n)),
      );
      let answers = 0;
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.tuple(edges, fc.oneof(word, fc.nat(0xffff_ffff))), { maxLength: 4 }),
          fc.option(fc.nat(whole.length)),
          async (changes, cut) => {
            const bytes = Buffer.from(whole);
            for (const [at, value] of changes) if (at + 4 <= bytes.length) bytes.writeUInt32LE(value, at);
            writeFileSync(bad, bytes.subarray(0, cut ?? bytes.length));
            try {
              infoAsJson(await readInfo(bad));
              answers++;
            } catch (error) {
              assert.ok(error instanceof Failure, String(error instanceof Error ? error.stack : error));
              assert.ok(error.message.startsWith(bad));
            }
          },
        ),
        // Few changes leave a readable file; the unchanged file is included so that not only refusals are tested.
        { numRuns: thorough(600), examples: [[[], null]] },
      );
      assert.ok(answers > 0, 'the whole file, at least, can be read');
      assert.ok(process.memoryUsage().rss < 700 << 20, 'no claim of a file is memory of ours');
    });
  }

  it('many instances that point to one place are refused before they are read', async (test) => {
    const whole = Buffer.from(fixture('unusual/two-instances-v6.dat.gz'));
    const at = whole.indexOf('inst\0') - 14;
    assert.equal(whole.readUInt16LE(at), 3, 'the option of the instance');
    const option = whole.subarray(at, at + 6 + whole.readUInt32LE(at + 2));
    const many = Buffer.concat([
      whole.subarray(0, at),
      ...Array.from({ length: 70_000 }, () => option),
      whole.subarray(at),
    ]);
    const path = join(scratchDir(test), 'many.dat');
    writeFileSync(path, many);
    await assert.rejects(readInfo(path), /more than \d+ instances of 1 CPUs/);
    const few = Array.from({ length: 40 }, () => option);
    // offsets after the inserted bytes
    const moved = few.reduce((sum, { length }) => sum + length, 0);
    const shifted = Buffer.concat([whole.subarray(0, at), ...few, whole.subarray(at)]);
    for (let place = at; place <= at + moved; place += option.length)
      shifted.writeBigUInt64LE(shifted.readBigUInt64LE(place + 6) + BigInt(moved), place + 6);
    writeFileSync(path, shifted);
    await assert.rejects(readInfo(path), /pages of \d+ bytes in \d+/);
  });

  it('any other file is refused as not being a trace.dat', async (test) => {
    const path = join(scratchDir(test), 'x');
    const begin = '\x17\x08\x44tracing';
    for (const [bytes, message, remedy] of [
      ['', /x: an empty file, not a trace\.dat$/, /^specify a trace\.dat, or a \.recording directory$/],
      ['tracing', /x: not a trace\.dat$/, /^specify .* raw pages of a ring, see trace-host convert/],
      ['x'.repeat(10_000), /x: not a trace\.dat$/, /^specify/],
      ['\x1f\x8b\x08\0', /x: compressed with gzip, not a trace\.dat$/, /^decompress it first$/],
      ['\x28\xb5\x2f\xfd', /x: compressed with zstd, not a trace\.dat$/, /^decompress it first$/],
      [begin, /x: not a readable trace\.dat: the text at 10 has no end$/, /^it is damaged or incomplete: /],
      [
        `${begin}5\0`,
        /x: not a readable trace\.dat: its version is neither 6 nor 7$/,
        /^read it with trace-cmd/,
      ],
      [`${begin}6\0\x01`, /x: not a readable trace\.dat: .* big-endian machine$/, /^read it with trace-cmd/],
    ] as const) {
      writeFileSync(path, bytes, 'latin1');
      await assert.rejects(readInfo(path), (error) => {
        assert.ok(error instanceof Failure, String(error));
        assert.match(error.message, message);
        assert.match(error.remedy, remedy);
        return true;
      });
    }
    await assert.rejects(readInfo(`${path}.none`), /no such file/);
    await assert.rejects(readInfo('/dev/null'), /not a regular file/);
  });
});
