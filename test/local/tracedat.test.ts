import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { convert, type ConvertSettings } from '../../src/trace/convert/convert.ts';
import { readInfo } from '../../src/trace/info.ts';
import { PageCursor } from '../../src/trace/ring/page-cursor.ts';
import { pagesOf } from '../../src/trace/ring/page-splitter.ts';
import { readMetadataArchive } from '../../src/trace/metadata/archive.ts';
import { parseMetadata, type GuestMetadata } from '../../src/trace/metadata/guest-metadata.ts';
import { fixture, fixtureText, headerPageText } from '../unit/trace/fixtures.ts';
import { sampleContents, sampleMetadata, samplePages, scratchDir, writeRaws } from '../unit/trace/samples.ts';

type Shape = Pick<ConvertSettings, 'version' | 'compress' | 'clock' | 'pauses'>;

const shapes = [{}, { version: 6 }, { compress: 'zstd' }] as const;

/** trace-cmd's output; asserts that it succeeds without warnings. */
function traceCmd(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync('trace-cmd', args, { encoding: 'utf8', maxBuffer: 1 << 28 });
  assert.deepEqual([status, stderr], [0, ''], args.join(' '));
  return stdout;
}

/** The reason why trace-cmd cannot run; with CI=true it must exist. */
function traceCmdSkip(): string | false {
  const found = spawnSync('trace-cmd', ['--version'], { stdio: 'ignore' }).error === undefined;
  if (!found && process.env['CI'] === 'true') throw new Error('trace-cmd is missing');
  return found ? false : 'trace-cmd is missing';
}

async function fileOf(
  test: TestContext,
  pages: Readonly<Record<number, Uint8Array>>,
  metadata: GuestMetadata,
  shape: Shape = {},
): Promise<string> {
  const dir = scratchDir(test);
  mkdirSync(join(dir, 'raw'));
  const out = join(dir, 'trace.dat');
  await convert({ cpus: writeRaws(join(dir, 'raw'), pages), metadata, out, ...shape });
  return out;
}

/** Asserts equality without printing a diff of megabytes. */
function assertSame(actual: string, expected: string): void {
  const [a, b] = [actual.split('\n'), expected.split('\n')];
  const at = a.findIndex((line, index) => line !== b[index]);
  if (at >= 0) assert.equal(a[at], b[at], `line ${at + 1}`);
  assert.equal(a.length, b.length);
}

/** Lines that contain an event. */
function eventLines(report: string): string[] {
  return report.split('\n').filter((line) => / \[\d{3}\] /.test(line));
}

/** The reason why no small file system can be mounted here. */
const mountSkip = process.getuid?.() === 0 ? false : 'mounting takes root';

describe('trace.dat on a file system that is too small', { skip: mountSkip }, () => {
  it('fails with the reason, and leaves nothing', async (test) => {
    const dir = scratchDir(test);
    const small = join(dir, 'small');
    mkdirSync(small);
    assert.equal(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=5M', 'tmpfs', small]).status, 0);
    try {
      const input = { cpus: writeRaws(dir, samplePages('A')), metadata: await sampleMetadata('A') };
      await assert.rejects(convert({ ...input, out: join(small, 'trace.dat') }), {
        name: 'Failure',
        message: /small\/trace\.dat: the disk is full after \d\.\d MiB, \d\.\d MiB left$/,
      });
      assert.deepEqual(readdirSync(small), []);
      const report = await convert({ ...input, out: join(small, 'trace.dat'), compress: 'zstd' });
      assert.equal(report.events, 21_843, 'across file systems, too');
    } finally {
      spawnSync('umount', [small]);
    }
  });
});

describe('trace.dat as trace-cmd reads it', { skip: traceCmdSkip() }, () => {
  for (const shape of shapes) {
    const what = JSON.stringify(shape);
    it(`${what} of A yields the stored report, byte for byte`, async (test) => {
      const file = await fileOf(test, samplePages('A'), await sampleMetadata('A'), shape);
      assertSame(traceCmd('report', '-i', file), fixtureText('A/report-trace-cmd-3.1.6.txt.gz'));
    });

    it(`${what} of B, clock boot, yields the stored report, byte for byte`, async (test) => {
      const file = await fileOf(test, samplePages('B'), await sampleMetadata('B'), shape);
      assertSame(traceCmd('report', '-t', '-i', file), fixtureText('B/report-nokallsyms-3.1.6-t.txt.gz'));
    });

    it(`${what} with gaps in CPU ids and an empty CPU has all events`, async (test) => {
      const [first, second] = [samplePages('A')[0]!, samplePages('A')[1]!];
      const pages = { 2: first, 4: new Uint8Array(0), 9: second };
      const report = traceCmd('report', '-i', await fileOf(test, pages, await sampleMetadata('A'), shape));
      const lines = eventLines(report);
      assert.equal(lines.length, 21_843);
      const cpus = new Set(lines.map((line) => / \[(\d{3})\] /.exec(line)?.[1]));
      assert.deepEqual(cpus, new Set(['002', '009']));
    });

    it(`${what} reports losses with the kernel’s counts`, async (test) => {
      const pages = { 0: fixture('lost-injected.raw.gz') };
      const report = traceCmd('report', '-i', await fileOf(test, pages, await sampleMetadata('A'), shape));
      const lost = [...report.matchAll(/^CPU:0 \[(\d+) EVENTS DROPPED\]$/gm)].map(([, count]) =>
        Number(count),
      );
      assert.deepEqual(lost, [1003, 1007, 1011]);
    });

    it(`${what} with skipped pages has all events of the others, and reports how many are missing`, async (test) => {
      const bytes = fixture('lost-injected.raw.gz').slice();
      const metadata = await sampleMetadata('A');
      const all = [...pagesOf(bytes, 4096)];
      const cursor = new PageCursor(metadata.layout);
      const events = all.map((page) => {
        let count = 0;
        cursor.load(page);
        while (cursor.next()) if (cursor.kind === 'data') count++;
        return count;
      });
      // An event without a format, at which trace-cmd would end its report, and a page of garbage.
      cursor.load(all[2]!);
      while (cursor.next() && cursor.kind !== 'data');
      cursor.view.setUint16(cursor.dataOffset, 65_000, true);
      all[12]!.fill(0xa5);
      const report = traceCmd('report', '-i', await fileOf(test, { 0: bytes }, metadata, shape));
      const kept = events.reduce((sum, count) => sum + count, 0) - events[12]!;
      assert.equal(eventLines(report).length, kept);
      assert.match(report, / event_65000: +no format$/m);
      const dropped = [...report.matchAll(/\[(?:(\d+) )?EVENTS DROPPED\]/g)].map(([, count]) => count);
      assert.deepEqual(dropped, ['1003', '1007', '1011', undefined]);
    });

    it(`${what} of sub-buffers of 8 KiB`, async (test) => {
      const header = Buffer.from(headerPageText(8192));
      const metadata = parseMetadata(
        new Map([...(await sampleContents('A')), ['events/header_page', header]]),
      );
      const file = await fileOf(test, { 0: fixture('subbuf8k.raw.gz') }, metadata, shape);
      assert.equal(eventLines(traceCmd('report', '-i', file)).length, 1751);
    });
  }

  it('options equal those of the stored dump', async (test) => {
    const file = await fileOf(test, samplePages('A'), await sampleMetadata('A'));
    /**
     * The dump without the writing program's name and without offsets after it; the clock's text has one NUL more
     * here.
     */
    const comparable = (dump: string): string[] =>
      dump
        .replace(/\t\t\[Option VERSION.*\n.*\n/, '')
        .replace(/\t\t\[Option TRACEID.*\n.*\n/, '')
        .replace(/@ \d+: "options", flags 0x0, \d+ bytes/, '@ options')
        .replace(/TRACECLOCK, \d+ bytes/, 'TRACECLOCK')
        .replace(/\[\d+ options\]/, '')
        .split('\n')
        .filter((line) => line !== '');
    assert.deepEqual(
      comparable(traceCmd('dump', '--options', '-i', file)),
      comparable(fixtureText('A/dump-options-v7.txt')),
    );
    assert.match(traceCmd('dump', '--options', '-i', file), /Option VERSION, \d+ bytes\]\nvirtio-trace \d/);
  });

  it('the note of many pauses changes nothing else', async (test) => {
    const [pages, metadata] = [samplePages('A'), await sampleMetadata('A')];
    const ns = '18446744073709551615';
    const pauses = Array.from({ length: 1000 }, () => ({
      hostFrom: ns,
      pausedFrom: ns,
      pausedTo: ns,
      hostTo: ns,
    }));
    for (const shape of shapes) {
      const [plain, noted] = [
        await fileOf(test, pages, metadata, shape),
        await fileOf(test, pages, metadata, { ...shape, pauses }),
      ];
      assertSame(traceCmd('report', '-i', noted), traceCmd('report', '-i', plain));
      assert.match(
        traceCmd('dump', '--options', '-i', noted),
        /\nvirtio-trace \S+ \(paused by the host at 1/,
      );
    }
  });

  it('every clock is printed correctly: seconds for nanosecond clocks, bare numbers for a counter', async (test) => {
    const pages = { 0: samplePages('B')[0]!.slice(0, 4096) };
    for (const shape of shapes) {
      for (const [clock, time] of [
        ['local', / 2\.348599: /],
        ['mono_raw', / 2\.348599: /],
        ['boot', / 2\.348599: /],
        ['tai', / 2\.348599: /],
        ['counter', / 2348599396: /],
        ['x86-tsc', / 2348599396: /],
      ] as const) {
        const file = await fileOf(test, pages, await sampleMetadata('B'), { ...shape, clock });
        const report = traceCmd('report', '-i', file);
        const [line = ''] = eventLines(report);
        assert.match(line, time, `${clock} ${JSON.stringify(shape)}: ${report.slice(0, 500)}`);
      }
    }
  });

  it('version 6 gives trace-cmd a clock to read, where it would otherwise read unwritten memory', async (test) => {
    const file = await fileOf(test, samplePages('B'), await sampleMetadata('B'), {
      version: 6,
      clock: 'mono',
    });
    const dump = traceCmd('dump', '--options', '-i', file);
    assert.match(dump, /Option TRACECLOCK, [1-9]\d* bytes\]\n.*\[mono\]/);
  });

  it('a task’s odd name does not remove the names of other tasks', async (test) => {
    for (const name of ['good', 'empty', 'line-break']) {
      const archive = fixture(`unusual/odd-task-name/${name}.tar.gz`, 'packed');
      const metadata = parseMetadata(await readMetadataArchive([archive]));
      for (const shape of shapes) {
        const file = await fileOf(test, { 0: fixture('unusual/odd-task-name/cpu0.raw.gz') }, metadata, shape);
        const lines = eventLines(traceCmd('report', '-i', file));
        assert.equal(lines.length, 231);
        assert.deepEqual(
          lines.filter((line) => line.includes('<...>')),
          [],
        );
      }
    }
  });

  it('a guest without symbols, command lines and printk formats is readable', async (test) => {
    const contents = [...(await sampleContents('A'))].filter(([name]) => name.startsWith('events/'));
    for (const shape of shapes) {
      const file = await fileOf(test, samplePages('A'), parseMetadata(new Map(contents)), shape);
      assert.equal(eventLines(traceCmd('report', '-i', file)).length, 21_843);
    }
  });

  it('zstd as trace-cmd itself writes it is readable', async (test) => {
    const file = await fileOf(test, samplePages('A'), await sampleMetadata('A'));
    const theirs = join(scratchDir(test), 'theirs.dat');
    const converted = spawnSync('trace-cmd', ['convert', '--compression', 'zstd', '-i', file, '-o', theirs]);
    assert.equal(converted.status, 0);
    const info = await readInfo(theirs);
    assert.deepEqual(info.format, { version: 7, compression: 'zstd' });
    assert.deepEqual([info.buffers[0]!.events, info.buffers[0]!.lost], [21_843, 35_899n]);
  });
});
