import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { remarksOn } from '../../../../src/cli/report/convert-report.ts';
import { Failure } from '../../../../src/base/failure.ts';
import { convert, convertRecording, type ConvertSettings } from '../../../../src/trace/convert/convert.ts';
import { parseMetadata } from '../../../../src/trace/metadata/guest-metadata.ts';
import { readInfo } from '../../../../src/trace/info.ts';
import { makeFifo } from '../../../../src/native/io/fifo.ts';
import {
  recording,
  recordingDir,
  sampleContents,
  sampleMetadata,
  samplePages,
  scratchDir,
  writeRaws,
  type Sample,
} from '../samples.ts';

type Shape = Pick<ConvertSettings, 'version' | 'compress'>;

async function made(test: TestContext, sample: Sample, shape: Shape = {}) {
  const dir = scratchDir(test);
  const cpus = writeRaws(dir, samplePages(sample));
  const out = join(dir, 'trace.dat');
  const report = await convert({ cpus, metadata: await sampleMetadata(sample), out, ...shape });
  return { dir, out, report };
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

describe('convert', () => {
  it('version 7 equals a known good file, from the first section to the last page', async (test) => {
    const { out, report } = await made(test, 'A');
    const bytes = readFileSync(out);
    // Files that trace-cmd 3.1.6, 3.4 and KernelShark read correctly; the offset of the options precedes it.
    assert.equal(
      sha256(bytes.subarray(32, 5_832_704)),
      '525d04a9379d2a88ec510f5c6dae456245bfa389200044e665ceeabe102981a2',
    );
    assert.equal(bytes.toString('latin1', 0, 24), '\x17\x08\x44tracing7\0\0\x08\0\x10\0\0none\0\0');
    assert.equal(report.fileBytes, bytes.length);
    assert.deepEqual([report.pages, report.events, report.lost], [238, 21_843, 35_899n]);
    assert.deepEqual([report.leftOut.size, report.rawBytes], [0, 238 * 4096]);
    assert.equal(report.eventsByName.get('raw_syscalls:sys_enter'), 4068);
  });

  it('version 6 equals a known good file, except for the options', async (test) => {
    const bytes = readFileSync((await made(test, 'A', { version: 6 })).out);
    assert.equal(bytes.length, 5_832_704);
    assert.equal(
      sha256(bytes.subarray(0, 4_855_418)),
      '94d587d841e2554b8ec1fb91ecce484be5df1c9d6f082dd779179679d0106f5a',
    );
    assert.equal(
      sha256(bytes.subarray(4_857_856)),
      '75c42981e36bb27ac563f163bf348679cba08227da5afb4b76a83295243f5b74',
    );
  });

  for (const shape of [{}, { version: 6 }, { compress: 'zstd' }] as const) {
    it(`${JSON.stringify(shape)} is read back unchanged: events, losses, clock, times`, async (test) => {
      const { out, report } = await made(test, 'A', shape);
      const info = await readInfo(out);
      const [buffer] = info.buffers;
      assert.ok(buffer);
      assert.deepEqual([buffer.events, buffer.lost, buffer.clock], [21_843, 35_899n, 'global']);
      assert.deepEqual(buffer.eventsByName, new Map([...report.eventsByName].sort(([, a], [, b]) => b - a)));
      assert.deepEqual([buffer.first, buffer.last], [2_602_227_158n, 13_521_192_589n]);
      assert.match(info.uname, /^Linux \(none\) 6\.1\.0-56-amd64/);
      assert.match(info.writer, /^virtio-trace \d/);
      assert.equal(info.eventFormats, 1336);
      for (const cpu of [0, 1]) assert.deepEqual(buffer.cpus[cpu]?.pages, report.cpus[cpu]?.pages);
    });
  }

  for (const shape of [{}, { version: 6 }, { compress: 'zstd' }] as const)
    it(`${JSON.stringify(shape)} reports whether symbols were hidden, and what the guest wrote elsewhere`, async (test) => {
      const dir = scratchDir(test);
      const contents = await sampleContents('A');
      const zeros = (contents.get('kallsyms')?.toString('latin1') ?? '').replaceAll(
        /^[0-9a-f]+ /gm,
        '0000000000000000 ',
      );
      const out = join(dir, 'trace.dat');
      const cpus = writeRaws(dir, { 0: samplePages('A')[0]! });
      for (const [kallsyms, symbols] of [
        [contents.get('kallsyms'), 'shown'],
        [Buffer.from(zeros), 'hidden'],
        [Buffer.alloc(0), 'missing'],
      ] as const) {
        const metadata = parseMetadata(new Map([...contents, ['kallsyms', kallsyms ?? Buffer.alloc(0)]]));
        const report = await convert({ cpus, metadata, out, ...shape, unseen: ['trace_printk'] });
        assert.equal(report.symbols, symbols);
        const remarks = remarksOn(report).filter((line) => line.startsWith('functions have no names'));
        assert.equal(remarks.length, symbols === 'hidden' ? 1 : 0);
        const info = await readInfo(out);
        assert.deepEqual([info.symbols, info.unseen], [symbols, ['trace_printk']]);
        assert.match(info.writer, /^virtio-trace [\d.]+$/);
      }
    });

  it('gaps in CPU ids, CPUs without pages, and no pages at all', async (test) => {
    const dir = scratchDir(test);
    const metadata = await sampleMetadata('A');
    const pages = samplePages('A');
    const cpus = writeRaws(dir, { 3: pages[0]!, 5: new Uint8Array(0), 11: pages[1]! });
    for (const shape of [{}, { version: 6 }, { compress: 'zstd' }] as const) {
      const out = join(dir, 'trace.dat');
      await convert({ cpus, metadata, out, ...shape });
      const events = new Map((await readInfo(out)).buffers[0]!.cpus.map((cpu) => [cpu.cpu, cpu.events]));
      assert.deepEqual([events.get(3), events.get(5), events.get(11)], [12_336, 0, 9507]);
      await convert({ cpus: writeRaws(dir, { 0: new Uint8Array(0) }), metadata, out, ...shape });
      assert.equal((await readInfo(out)).buffers[0]!.events, 0);
    }
  });

  it('skipped pages are not in the file, and the report gives the reason', async (test) => {
    const dir = scratchDir(test);
    const bytes = samplePages('A')[0]!.slice(0, 30 * 4096 - 1);
    bytes.fill(0xff, 10 * 4096, 11 * 4096);
    const out = join(dir, 'trace.dat');
    const report = await convert({
      cpus: writeRaws(dir, { 0: bytes }),
      metadata: await sampleMetadata('A'),
      out,
    });
    assert.deepEqual(
      report.leftOut,
      new Map([
        ['commit-beyond-page', 1],
        ['truncated', 1],
      ]),
    );
    const cpu = (await readInfo(out)).buffers[0]!.cpus[0]!;
    assert.deepEqual([cpu.pages, cpu.pagesAfterUncountedLoss, cpu.leftOut.size], [28, 1, 0]);
  });

  it('boot is named only in the buffer: elsewhere readers take it for a counter', async (test) => {
    const seven = readFileSync((await made(test, 'B')).out).toString('latin1');
    assert.ok(seven.includes('\0boot\0') && !seven.includes('[boot]'));
    const six = readFileSync((await made(test, 'B', { version: 6 })).out).toString('latin1');
    assert.ok(!six.includes('[boot]'));
  });

  it('a recording’s directory, also of an unfinished recording', async (test) => {
    const dir = recordingDir(test);
    const progress: number[] = [];
    const out = join(dir, '../trace.dat');
    const report = await convertRecording(dir, {
      out,
      onProgress: ({ doneBytes, totalBytes }) => progress.push(doneBytes / totalBytes),
    });
    assert.equal(report.events, 21_843);
    assert.equal(progress.at(-1), 1);
    const info = await readInfo(dir);
    assert.deepEqual([info.kind, info.buffers[0]!.events, info.recording], ['recording', 21_843, recording]);
  });

  it('reports where the files of a capped recording cannot be joined', async (test) => {
    const dir = recordingDir(test);
    writeFileSync(join(dir, 'cpu0.raw.older'), '');
    rmSync(join(dir, 'cpu0.raw'));
    mkdirSync(join(dir, 'cpu0.raw'));
    const converting = convertRecording(dir, { out: join(dir, 'trace.dat') });
    await assert.rejects(converting, (error) => {
      assert.ok(error instanceof Failure, String(error));
      assert.match(error.message, /cannot write to .*recording: EISDIR/);
      return true;
    });
  });

  it('a host’s recording keeps its id, and names its guests and their threads', async (test) => {
    const dir = recordingDir(test);
    const guests = [
      {
        name: 'wéb',
        traceId: '18446744073709551615',
        pid: 7,
        vcpus: [
          { vcpu: 2, tid: 12, from: '1', until: null },
          { vcpu: 0, tid: 9, from: '1', until: '2' },
          { vcpu: 0, tid: 10, from: '3', until: null },
        ],
      },
      { name: '', traceId: '5', pid: null, vcpus: [] },
    ];
    writeFileSync(join(dir, 'recording.json'), JSON.stringify({ ...recording, traceId: '258', guests }));
    for (const version of [6, 7] as const) {
      const out = join(dir, 'trace.dat');
      await convertRecording(dir, { out, version });
      assert.equal((await readInfo(out)).traceId, 258n);
      const file = readFileSync(out);
      // option 13: name, id, number of CPUs, then CPU and thread; the last thread of CPU 0, none of CPU 1
      const threads = ['00000000', '0a000000', '01000000', 'ffffffff', '02000000', '0c000000'];
      const web = ['0d00', '29000000', '77c3a96200', 'ffffffffffffffff', '03000000', ...threads];
      const unnamed = ['0d00', '12000000', '677565737400', '0500000000000000', '00000000'];
      for (const option of [web, unnamed])
        assert.ok(file.includes(Buffer.from(option.join(''), 'hex')), `version ${version}`);
    }
    for (const change of [
      { traceId: 5 },
      { traceId: '18446744073709551616' },
      { guests: {} },
      { guests: [{ ...guests[0], name: 1 }] },
      { guests: [{ ...guests[0], vcpus: [{ vcpu: 1e9, tid: 1, from: '1', until: null }] }] },
      { guests: [{ ...guests[0], vcpus: [{ vcpu: 0, tid: 1, from: 1, until: null }] }] },
    ]) {
      writeFileSync(join(dir, 'recording.json'), JSON.stringify({ ...recording, ...change }));
      await assert.rejects(convertRecording(dir, { out: join(dir, 'trace.dat') }), Failure);
    }
  });

  it('a forged recording.json names no file outside the directory, and is refused', async (test) => {
    const dir = recordingDir(test);
    for (const change of [
      { version: 2 },
      { cpus: [{ cpu: '../0', bytes: 0, ring: null }] },
      { cpus: [{ cpu: 1e9, bytes: 0, ring: null }] },
      { cpus: [recording.cpus[0], recording.cpus[0]] },
      { events: 'sched' },
    ]) {
      writeFileSync(join(dir, 'recording.json'), JSON.stringify({ ...recording, ...change }));
      await assert.rejects(convertRecording(dir, { out: join(dir, 'trace.dat') }), Failure);
    }
    assert.ok(!readdirSync(dir).includes('trace.dat'));
  });

  it('a failed conversion keeps the old file and leaves nothing new', async (test) => {
    const dir = scratchDir(test);
    const cpus = writeRaws(dir, samplePages('A'));
    const metadata = await sampleMetadata('A');
    const out = join(dir, 'trace.dat');
    writeFileSync(out, 'old');
    const before = readdirSync(dir).sort();
    const ended = new AbortController();
    const running = convert({ cpus, metadata, out, signal: ended.signal, onProgress: () => ended.abort() });
    await assert.rejects(running, { name: 'AbortError' });
    await assert.rejects(
      convert({ cpus, metadata, out, version: 6, compress: 'zstd' }),
      /has no compression/,
    );
    await assert.rejects(convert({ cpus: new Map(), metadata, out }), /no CPU to convert/);
    const gone = new Map([...cpus, [2, join(dir, 'cpu2.raw')]]);
    await assert.rejects(convert({ cpus: gone, metadata, out }), /cpu2\.raw: no such file/);
    await assert.rejects(convert({ cpus, metadata, out: join(dir, 'no/trace.dat') }), /no such directory/);
    await assert.rejects(convert({ cpus, metadata, out: dir }), /is a directory/);
    await assert.rejects(
      convert({ cpus, metadata, out: join(out, 'x') }),
      /a parent of it is not a directory/,
    );
    const longName = join(dir, 'x'.repeat(254));
    await assert.rejects(convert({ cpus, metadata, out: longName }), /the name is too long/);
    await assert.rejects(convert({ cpus, metadata, out, clock: '../x' }), /not the name of a trace clock/);
    assert.equal(readFileSync(out, 'utf8'), 'old');
    assert.deepEqual(readdirSync(dir).sort(), before);
  });

  it('replaces a regular file, and nothing else, such as /dev/null', async (test) => {
    const dir = scratchDir(test);
    const cpus = writeRaws(dir, samplePages('A'));
    const metadata = await sampleMetadata('A');
    const file = join(dir, 'file');
    writeFileSync(file, 'old');
    const link = join(dir, 'link');
    symlinkSync(file, link);
    const fifo = join(dir, 'fifo');
    makeFifo(fifo, 0o600);
    await assert.rejects(convert({ cpus, metadata, out: link }), /link is a symbolic link/);
    await assert.rejects(convert({ cpus, metadata, out: fifo }), /fifo is not a regular file/);
    assert.ok(lstatSync(link).isSymbolicLink() && lstatSync(fifo).isFIFO());
    assert.equal(readFileSync(file, 'utf8'), 'old');
  });

  it('does not follow a link that is planted at its output path', async (test) => {
    const dir = scratchDir(test);
    const cpus = writeRaws(dir, samplePages('A'));
    const victim = join(dir, 'victim');
    writeFileSync(victim, 'old');
    symlinkSync(victim, join(dir, `.trace.dat.${process.pid}.tmp`));
    const out = join(dir, 'trace.dat');
    await convert({ cpus, metadata: await sampleMetadata('A'), out });
    assert.equal(readFileSync(victim, 'utf8'), 'old');
    assert.ok(lstatSync(out).isFile());
  });

  it('does not block on a FIFO that is given as a file', { timeout: 120_000 }, async (test) => {
    const dir = scratchDir(test);
    const fifo = join(dir, 'cpu0.raw');
    makeFifo(fifo, 0o600);
    const cpus = new Map([[0, fifo]]);
    const refused = { message: /cpu0\.raw: not a regular file/ };
    await assert.rejects(
      convert({ cpus, metadata: await sampleMetadata('A'), out: join(dir, 'trace.dat') }),
      refused,
    );
    await assert.rejects(readInfo(fifo), refused);
  });

  it('reports a full disk', async (test) => {
    const dir = scratchDir(test);
    const cpus = writeRaws(dir, samplePages('A'));
    const { writeReplacing } = await import('../../../../src/trace/file/write-replacing.ts');
    const full = writeReplacing(join(dir, 'trace.dat'), async (file) => {
      await file.write(Buffer.alloc(1 << 20));
      throw Object.assign(new Error('write'), { code: 'ENOSPC' });
    });
    await assert.rejects(full, /trace\.dat: the disk is full after 1\.0 MiB, \d+\.\d MiB left/);
    assert.deepEqual(readdirSync(dir).length, cpus.size);
  });
});
