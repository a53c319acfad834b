import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { convert, type ConvertSettings } from '../../src/trace/convert/convert.ts';
import { parseMetadata } from '../../src/trace/metadata/guest-metadata.ts';
import { formatRecording } from '../../src/trace/recording/recording-format.ts';
import { openTrace } from '../../src/trace/open.ts';
import { reportFixtureDir, reportFixtures } from '../report/fixtures.ts';
import { fixture } from '../unit/trace/fixtures.ts';
import { recording, sampleContents, samplePages, writeRaws } from '../unit/trace/samples.ts';
import type { Base } from './mutation.ts';

/** Little besides the formats: most changes then hit what has a meaning. */
async function smallContents(): Promise<Map<string, Buffer>> {
  const kept = /^events\/(header|ftrace|sched\/sched_(switch|wak)|irq|raw_syscalls)/;
  const contents = new Map(
    [...(await sampleContents('A'))].filter(([name]) => !name.startsWith('events/') || kept.test(name)),
  );
  contents.set('kallsyms', Buffer.from('ffffffff81000000 T _text\nffffffff81000010 t second\n'));
  return contents;
}

/** A trace.dat by that writer, with the pages of a sample. */
async function dat(dir: string, shape: Partial<ConvertSettings>): Promise<Buffer> {
  const out = join(dir, 'made.dat');
  const [first, second] = Object.values(samplePages('A'));
  const cpus = writeRaws(dir, { 0: first!.slice(0, 8192), 2: second!.slice(0, 8192) });
  await convert({ cpus, metadata: parseMetadata(await smallContents()), out, traceId: 1n, ...shape });
  return readFileSync(out);
}

/** A report's fixture without compression, so that changes do not only end in refusals by zstd. */
async function unpacked(dir: string, name: string): Promise<Buffer> {
  const path = join(reportFixtureDir, `${name}.dat`);
  const trace = await openTrace(path);
  try {
    const { source } = trace;
    const contents = new Map<string, Buffer>(await smallContents());
    for (const key of contents.keys()) if (/^events\/(?!header)/.test(key)) contents.delete(key);
    for (const [key, text] of source.formatTexts()) contents.set(key, Buffer.from(text, 'latin1'));
    contents.set('kallsyms', source.kallsyms().subarray(0, 5000));
    contents.set('printk_formats', source.printkFormats());
    const pages: Record<number, Uint8Array> = {};
    for (const { cpu, blocks } of source.buffers[0]?.cpus ?? []) {
      const all: Uint8Array[] = [];
      for await (const block of blocks()) all.push(block.slice());
      pages[cpu] = Buffer.concat(all).subarray(0, 8 * source.layout.pageBytes);
    }
    const out = join(dir, `${name}.dat`);
    await convert({ cpus: writeRaws(dir, pages), metadata: parseMetadata(contents), out, traceId: 1n });
    return readFileSync(out);
  } finally {
    await trace.close();
  }
}

/** All files to change. Blocks for a few seconds. */
export async function bases(): Promise<Base[]> {
  const dir = mkdtempSync(join(tmpdir(), 'mutated-bases-'));
  try {
    const one = (name: string, bytes: Uint8Array): Base => ({
      name,
      files: new Map([['trace.dat', Buffer.from(bytes)]]),
    });
    const archive = pack();
    for (const [name, content] of await smallContents()) archive.entry({ name, mtime: new Date(0) }, content);
    archive.finalize();
    const pages = samplePages('A');
    const made: Base[] = [
      one('version 7', await dat(dir, {})),
      one('version 6', await dat(dir, { version: 6 })),
      one('compressed', await dat(dir, { compress: 'zstd' })),
      one('two instances of version 6', fixture('unusual/two-instances-v6.dat.gz')),
      {
        name: 'recording',
        files: new Map([
          ['cpu0.raw', Buffer.from(pages[0]!.slice(0, 16384))],
          ['cpu1.raw', Buffer.from(pages[1]!.slice(0, 16384))],
          ['metadata.tar.gz', await buffer(archive)],
          ['recording.json', Buffer.from(formatRecording(recording))],
        ]),
      },
    ];
    for (const name of reportFixtures()) {
      // they differ in their texts of trace_printk only
      if (name.includes('odd')) continue;
      made.push(one(name, readFileSync(join(reportFixtureDir, `${name}.dat`))));
      made.push(one(`${name}, not compressed`, await unpacked(dir, name)));
    }
    return made;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Writes a base, with one file replaced, to `dir`. @returns the path to open */
export function writeBase(dir: string, { files }: Base, changed: string, bytes: Buffer): string {
  if (files.size === 1) {
    const path = join(dir, changed);
    writeFileSync(path, bytes);
    return path;
  }
  for (const old of readdirSync(dir)) rmSync(join(dir, old), { recursive: true });
  for (const [name, whole] of files) {
    const content = name === changed ? bytes : whole;
    writeFileSync(join(dir, name), name.endsWith('.gz') ? gzipSync(content, { level: 0 }) : content);
  }
  return dir;
}
