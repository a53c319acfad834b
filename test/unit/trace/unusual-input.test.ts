import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { countsOf, leftOutOf, remarksOn } from '../../../src/cli/report/convert-report.ts';
import { convert, type ConvertReport, type ConvertSettings } from '../../../src/trace/convert/convert.ts';
import { infoAsJson, readInfo } from '../../../src/trace/info.ts';
import { readMetadataArchive } from '../../../src/trace/metadata/archive.ts';
import { type GuestMetadata, parseMetadata } from '../../../src/trace/metadata/guest-metadata.ts';
import { fixture } from './fixtures.ts';
import { sampleContents, samplePages, scratchDir, writeRaws } from './samples.ts';

const shapes = [{ version: 7 }, { version: 6 }, { compress: 'zstd' }] as const;

async function unusual(name: string): Promise<GuestMetadata> {
  return parseMetadata(await readMetadataArchive([fixture(`unusual/${name}.tar.gz`, 'packed')]));
}

async function converted(
  test: TestContext,
  pages: Readonly<Record<number, Uint8Array>>,
  metadata: GuestMetadata,
  shape: Pick<ConvertSettings, 'version' | 'compress' | 'clock'> = {},
): Promise<ConvertReport> {
  const dir = scratchDir(test);
  return convert({ cpus: writeRaws(dir, pages), metadata, out: join(dir, 'trace.dat'), ...shape });
}

async function eventsIn({ out }: ConvertReport): Promise<number> {
  return (await readInfo(out)).buffers[0]!.events;
}

describe('unusual input', () => {
  it('of version 6 with an instance in addition to the top level is read completely', async (test) => {
    const path = join(scratchDir(test), 'two.dat');
    writeFileSync(path, fixture('unusual/two-instances-v6.dat.gz'));
    const { buffers } = await readInfo(path);
    assert.deepEqual(
      buffers.map(({ name, clock, events }) => [name, clock, events]),
      [
        ['', 'local', 231],
        ['inst', 'local', 116],
      ],
    );
  });

  for (const name of [
    'data-loc-of-2-bytes',
    'function-pointer',
    'line-of-1100',
    'negative-offset',
    'nested-struct',
    'two-dimensions',
  ]) {
    it(`an unknown field line does not lose an event: ${name}`, async (test) => {
      const pages = { 0: fixture('unusual/odd-format/cpu0.raw.gz') };
      const metadata = await unusual(`odd-format/${name}`);
      for (const shape of shapes) {
        const report = await converted(test, pages, metadata, shape);
        assert.deepEqual([report.events, report.leftOut.size, await eventsIn(report)], [180, 0, 180]);
        const [remark = '', ...more] = remarksOn(report);
        assert.match(
          remark,
          /^format of sched:sched_switch: cannot parse the line ".*its records are in the file$/,
        );
        assert.deepEqual(more, []);
      }
    });
  }

  it('a dynamic array whose place takes 8 bytes, as in synthetic events, loses nothing', async (test) => {
    const pages = { 0: fixture('unusual/odd-format/cpu0.raw.gz') };
    const report = await converted(test, pages, await unusual('odd-format/data-loc-of-8-bytes'));
    assert.deepEqual([report.events, await eventsIn(report), remarksOn(report)], [180, 180, []]);
  });

  it('a valid format causes no message', async (test) => {
    const pages = { 0: fixture('unusual/odd-format/cpu0.raw.gz') };
    assert.deepEqual(remarksOn(await converted(test, pages, await unusual('odd-format/good'))), []);
  });

  it('an event without a format is in the file under its number, and so are its neighbours', async (test) => {
    const contents = [...(await sampleContents('A'))].filter(([name]) => !name.includes('/sched_waking/'));
    const metadata = parseMetadata(new Map(contents));
    for (const shape of shapes) {
      const report = await converted(test, samplePages('A'), metadata, shape);
      assert.deepEqual([report.events, report.leftOut.size, await eventsIn(report)], [21_843, 0, 21_843]);
      const [id = 0, ...more] = report.undescribed;
      assert.deepEqual(more, []);
      const records = report.eventsByName.get(`unknown:event_${id}`) ?? 0;
      assert.ok(records > 0);
      assert.deepEqual(remarksOn(report), [
        `event ${id} has no format in the metadata; its ${records} records are in the file as unknown:event_${id}`,
      ]);
      const info = await readInfo(report.out);
      assert.equal(info.buffers[0]!.eventsByName.get(`unknown:event_${id}`), records);
      assert.equal(info.eventFormats, metadata.catalogue.size + 1);
    }
  });

  it('thousands of events without a format are reported in a few lines', async (test) => {
    const contents = [...(await sampleContents('A'))].filter(
      ([name]) => !name.startsWith('events/') || /header|ftrace/.test(name),
    );
    const report = await converted(test, samplePages('A'), parseMetadata(new Map(contents)));
    assert.ok(report.undescribed.length > 10);
    assert.match(remarksOn(report).at(-1) ?? '', /^and \d+ more events$/);
    assert.equal(remarksOn(report).length, 11);
  });

  it('metadata that was copied out of tracefs manually is accepted', async (test) => {
    const pages = { 0: fixture('unusual/not-ours-metadata/cpu0.raw.gz') };
    const report = await converted(test, pages, await unusual('not-ours-metadata/copied'));
    assert.deepEqual([report.events, remarksOn(report), leftOutOf(report)], [180, [], []]);
  });

  it('pages of several CPUs in one file are kept, and steps back in time are reported', async (test) => {
    const pages = { 0: fixture('unusual/stdout-of-all-cpus/trace.raw.gz') };
    const report = await converted(test, pages, await unusual('stdout-of-all-cpus/meta'));
    assert.equal(report.pages, 8);
    const [remark = ''] = remarksOn(report);
    assert.match(remark, /^CPU 0: time goes backwards at \d pages: .*mixes pages of several CPUs/);
    assert.deepEqual(Object.keys(Reflect.get(countsOf(report), 'stepsBack')), ['0']);
    assert.ok((await readInfo(report.out)).buffers[0]!.stepsBack > 0);
  });

  it('times of a clock that does not count nanoseconds have no unit', async (test) => {
    const pages = { 1: fixture('unusual/clock-of-ticks/cpu1.raw.gz') };
    const metadata = await unusual('clock-of-ticks/meta');
    for (const [clock, unit] of [
      ['counter', null],
      ['uptime', null],
      ['x86-tsc', null],
      ['ppc-tb', null],
      ['mono_raw', 'ns'],
    ] as const) {
      const { out } = await converted(test, pages, metadata, { clock });
      const [buffer] = (await readInfo(out)).buffers;
      assert.equal(buffer?.timeUnit, unit, clock);
      assert.equal(buffer.last! - buffer.first!, 162n);
      assert.doesNotMatch(JSON.stringify(infoAsJson(await readInfo(out))), /Ns"/);
    }
  });
});
