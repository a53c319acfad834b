import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseMetadata } from '../../../../src/trace/metadata/guest-metadata.ts';
import { withChosenClock } from '../../../../src/trace/metadata/trace-clock.ts';
import { headerPageText } from '../fixtures.ts';
import { sampleContents, sampleMetadata } from '../samples.ts';

describe('guest metadata', () => {
  it("has the contents of a real guest's archive", async () => {
    const metadata = await sampleMetadata('A');
    assert.equal(metadata.layout.pageBytes, 4096);
    assert.equal(metadata.catalogue.size, 1336);
    assert.deepEqual(metadata.catalogue.malformed, []);
    assert.equal(metadata.formats.get('ftrace')?.has('print'), true);
    assert.equal(metadata.clock, 'global');
    assert.match(metadata.uname, /^Linux \(none\) 6\.1\.0-56-amd64 .* GNU\/Linux$/);
    assert.match(metadata.stats.get(0) ?? '', /^overrun: 35899$/m);
    assert.match(metadata.savedCmdlines.toString(), /^115 trace-agent$/m);
    assert.match(metadata.savedTgids.toString(), /^7 7$/m);
    assert.match(metadata.others.get('cpuinfo')?.toString() ?? '', /^processor/);
    assert.equal((await sampleMetadata('B')).clock, 'boot');
  });

  it('needs only header page and formats', async () => {
    const contents = [...(await sampleContents('A'))].filter(
      ([name]) => name === 'events/header_page' || name.startsWith('events/sched/'),
    );
    const { kallsyms, printkFormats, savedCmdlines, stats, clock, uname } = parseMetadata(new Map(contents));
    assert.deepEqual([kallsyms.length, printkFormats.length, savedCmdlines.length, stats.size], [0, 0, 0, 0]);
    assert.deepEqual([clock, uname], ['local', '']);
  });

  it('reports missing required files', async () => {
    const contents = await sampleContents('A');
    const without = (name: RegExp) => new Map([...contents].filter(([file]) => !name.test(file)));
    assert.throws(() => parseMetadata(without(/^events\/header_page$/)), /events\/header_page is missing/);
    assert.throws(() => parseMetadata(without(/\/format$/)), /no event formats/);
  });

  it('refuses pages of a size that no kernel has', async () => {
    const contents = await sampleContents('A');
    for (const pageBytes of [64, 4095, 5000, 12_288]) {
      const header = Buffer.from(headerPageText(pageBytes));
      assert.throws(
        () => parseMetadata(new Map([...contents, ['events/header_page', header]])),
        new RegExp(`pages of ${pageBytes} bytes`),
      );
    }
    const garbage = new Map([...contents, ['events/header_page', Buffer.from('\u001b[2J')]]);
    assert.throws(() => parseMetadata(garbage), /events\/header_page: no field/);
  });

  it('puts a clock into brackets, listed or not', () => {
    assert.equal(withChosenClock('[local] global boot\n', 'boot'), 'local global [boot]\n');
    assert.equal(withChosenClock('[local] global\n', 'tai'), 'local global [tai]\n');
    assert.equal(withChosenClock('', 'mono'), '[mono]\n');
  });
});
