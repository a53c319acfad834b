import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { describe, it, type TestContext } from 'node:test';
import { exportNdjson } from '../../../../src/export/text/export-ndjson.ts';
import { parseFunctions } from '../../../../src/print/symbols/function-map.ts';
import { PrintkFormats } from '../../../../src/print/symbols/printk-formats.ts';
import { PrintTaskNames } from '../../../../src/print/symbols/task-names.ts';
import { convert } from '../../../../src/trace/convert/convert.ts';
import { sectionId, optionId } from '../../../../src/trace/dat/ids.ts';
import { ByteReader } from '../../../../src/trace/dat/read/byte-reader.ts';
import { FormatTexts, readFormats } from '../../../../src/trace/dat/read/read-bodies.ts';
import { chunkLimit } from '../../../../src/trace/dat/read/read-trace-file.ts';
import { readV7 } from '../../../../src/trace/dat/read/read-v7.ts';
import { parseEventFormat } from '../../../../src/trace/format/event-format.ts';
import { parseMetadata } from '../../../../src/trace/metadata/guest-metadata.ts';
import { taskNamesOf } from '../../../../src/trace/metadata/task-lines.ts';
import { openTrace } from '../../../../src/trace/open.ts';
import { sampleContents, samplePages, scratchDir, writeRaws } from '../samples.ts';

const u16 = (value: number): Buffer => Buffer.of(value & 0xff, value >> 8);
function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function option(id: number, content: Buffer): Buffer {
  return Buffer.concat([u16(id), u32(content.length), content]);
}

function bufferOption(cpus: readonly number[]): Buffer {
  const tables = cpus.flatMap((cpu) => [u32(cpu), u64(0), u64(0)]);
  return option(
    optionId.buffer,
    Buffer.concat([u64(0), Buffer.from('\0local\0'), u32(4096), u32(cpus.length), ...tables]),
  );
}

/** Reads a file of version 7 that has these options, each section pointing to the next. */
function readOptions(...sections: readonly Buffer[]): ReturnType<typeof readV7> {
  const start = Buffer.concat([Buffer.from('none\0\0'), u64(100)]);
  let at = 100;
  const parts: { readonly at: number; readonly bytes: Buffer }[] = [];
  for (const [index, options] of sections.entries()) {
    const length = 16 + options.length + 14;
    const next = index + 1 < sections.length ? at + length : 0;
    const head = Buffer.concat([u16(sectionId.options), u16(0), u32(0), u64(0)]);
    parts.push({ at, bytes: Buffer.concat([head, options, option(optionId.done, u64(next))]) });
    at += length;
  }
  const open = (position: number): ByteReader =>
    ByteReader.ofMemory(parts.find((part) => part.at === position)?.bytes ?? Buffer.alloc(0));
  return readV7(ByteReader.ofMemory(start), open);
}

describe('a hostile trace.dat', () => {
  it('has no CPU beyond those that a kernel can have', () => {
    assert.throws(() => readOptions(bufferOption([0, 8191])), /no header info/, 'only that is missing');
    assert.throws(() => readOptions(bufferOption([0, 0xffff_fffe])), /a buffer with CPU 4294967294/);
  });

  it('has a limited number of page tables, however its sections overlap', () => {
    const cpus = Array.from({ length: 8000 }, (_, cpu) => cpu);
    const eight = Buffer.concat(Array.from({ length: 8 }, () => bufferOption(cpus)));
    assert.throws(() => readOptions(eight), /no header info/);
    assert.throws(() => readOptions(eight, bufferOption(cpus)), /more than 8 buffers before \d+/);
  });

  it('has a limited number of instances and options', () => {
    const some = Array.from({ length: 1024 }, () => bufferOption([0]));
    assert.throws(() => readOptions(Buffer.concat(some)), /no header info/);
    assert.throws(
      () => readOptions(Buffer.concat([...some, bufferOption([])])),
      /more than 1024 buffers before \d+/,
    );
    const others = Buffer.concat(Array.from({ length: 100_000 }, () => option(999, Buffer.alloc(0))));
    assert.throws(() => readOptions(others), /no header info/);
    assert.throws(() => readOptions(others, others), /more than 200000 options before \d+/);
  });

  it('has formats of a limited size, over all systems', () => {
    const system = (text: Buffer): ByteReader =>
      ByteReader.ofMemory(Buffer.concat([u32(1), u64(text.length), text]));
    const formats = new FormatTexts();
    const half = Buffer.alloc(16 << 20, 0x20);
    readFormats(system(half), 'one', formats);
    readFormats(system(half), 'two', formats);
    assert.throws(
      () => readFormats(system(Buffer.of(0x20)), 'three', formats),
      /more than \d+ bytes of formats at 13/,
    );
  });

  it('has chunks that are smaller the more CPUs there are', () => {
    const buffers = (count: number) => [
      {
        name: '',
        clock: '',
        cpus: Array.from({ length: count }, (_, cpu) => ({ cpu, offset: 0, bytes: 1 })),
      },
    ];
    assert.equal(chunkLimit({ buffers: buffers(2) }, 4096), 16 << 20);
    assert.equal(chunkLimit({ buffers: buffers(64) }, 4096), 4 << 20);
    assert.equal(chunkLimit({ buffers: buffers(8192) }, 4096), 16 * 4096, 'trace-cmd writes 10 pages');
    assert.throws(
      () => chunkLimit({ buffers: buffers(8192) }, 1 << 20),
      /8192 tables of pages of 1048576 bytes/,
    );
  });
});

describe('hostile texts of a trace', () => {
  it('have limits for names of tasks and functions', () => {
    const long = 'x'.repeat(100_000);
    assert.equal(taskNamesOf(`7 ${long}\n8 short\n`).get(7)?.length, 256);
    assert.equal(taskNamesOf(`7 ${long}\n8 short\n`).get(8), 'short');
    const map = parseFunctions(Buffer.from(`ffff T ${long}\t[module]\n10000 T next\n`));
    assert.equal(map.nameEnd(0) - map.nameStart(0), 1024);
    assert.equal(map.addressOf('next'), 0x10000n, 'the next line is found');
    const formats = new PrintkFormats(Buffer.from(`0x1 : "${'y'.repeat(3 << 20)}"\n0x2 : "z"\n`));
    assert.equal(formats.get(1n)?.length, (1 << 20) - 1);
    assert.equal(Buffer.from(formats.get(2n) ?? []).toString(), 'z');
  });

  it('have limits for their number', () => {
    assert.equal(parseFunctions(Buffer.from('1 T a\n'.repeat((1 << 21) + 10))).size, 1 << 21);
    const lines = Array.from({ length: 100_010 }, (_, index) => `0x${index.toString(16)} : "a"`);
    assert.equal(new PrintkFormats(Buffer.from(lines.join('\n'))).entries().length, 100_000);
    const { fields, unread } = parseEventFormat(
      'system',
      `name: event\nID: 9\nformat:\n\n${Array.from({ length: 10_000 }, (_, index) => `\tfield:char f${index}[];\toffset:0;\tsize:0;\tsigned:0;\n`).join('')}`,
    );
    assert.equal(fields.length, 1000);
    assert.equal(unread.length, 9000);
  });

  it('do not make labels of tasks grow without bound', () => {
    const names = new PrintTaskNames([[1, Buffer.from('one')]], false);
    for (let cpu = 0; cpu < 300; cpu++) for (let pid = 0; pid < 1000; pid++) names.label(pid, cpu);
    assert.equal(Buffer.from(names.label(1, 3)).toString(), '             one-1     [003]');
    names.learn(2, Buffer.from('two'), 0, 3);
    assert.equal(Buffer.from(names.label(2, 3)).toString(), '             two-2     [003]');
  });
});

async function exported(test: TestContext, change: (contents: Map<string, Buffer>) => void): Promise<string> {
  const dir = scratchDir(test);
  const out = join(dir, 'trace.dat');
  const contents = new Map(await sampleContents('A'));
  change(contents);
  const cpus = writeRaws(dir, { 0: samplePages('A')[0]!.slice(0, 8192) });
  await convert({ cpus, metadata: parseMetadata(contents), out });
  const trace = await openTrace(out);
  let text = '';
  try {
    const to = new Writable({
      write: (chunk: Buffer, _, done) => {
        text += chunk.toString('latin1');
        done();
      },
    });
    await exportNdjson(trace, to);
  } finally {
    await trace.close();
  }
  return text;
}

describe('formats by an enemy', () => {
  const switchFormat = 'events/sched/sched_switch/format';

  it('10,000 fields that are all the whole record end at a limit', async (test) => {
    const tails = Array.from(
      { length: 10_000 },
      (_, index) => `\tfield:u8 f${index}[];\toffset:0;\tsize:0;\tsigned:0;`,
    );
    const text = await exported(test, (contents) => {
      const format = contents.get(switchFormat)!.toString('latin1');
      contents.set(
        switchFormat,
        Buffer.from(format.replace('\nprint fmt', `${tails.join('\n')}\n\nprint fmt`)),
      );
    });
    const longest = Math.max(...text.split('\n').map((line) => line.length));
    assert.ok(longest > 10_000 && longest < 1 << 20, `${longest}`);
  });

  it('65,000 formats, many of one id, leave the others readable', async (test) => {
    const text = await exported(test, (contents) => {
      for (let index = 0; index < 60_000; index++) {
        const id = index % 3 === 0 ? 5 : 1000 + index;
        contents.set(`events/enemy/e${index}/format`, Buffer.from(`name: e${index}\nID: ${id}\nformat:\n\n`));
      }
    });
    assert.match(text, /"event":"sched:sched_switch"/);
  });
});

it('an error names the file and the offset', async (test) => {
  const dir = scratchDir(test);
  const out = join(dir, 'trace.dat');
  const cpus = writeRaws(dir, { 0: samplePages('A')[0]!.slice(0, 8192) });
  await convert({ cpus, metadata: parseMetadata(await sampleContents('A')), out });
  const whole = readFileSync(out);
  for (const length of [40, 100, 1000, 100_000, whole.length - 9000]) {
    writeFileSync(out, whole.subarray(0, length));
    await assert.rejects(
      openTrace(out),
      ({ message }: Error) => message.startsWith(`${out}: `) && /\d/.test(message.slice(out.length)),
    );
  }
});
