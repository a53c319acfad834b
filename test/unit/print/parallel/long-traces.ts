import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { convert } from '../../../../src/trace/convert/convert.ts';
import { readTraceFile } from '../../../../src/trace/dat/read/read-trace-file.ts';
import { parseMetadata } from '../../../../src/trace/metadata/guest-metadata.ts';
import { openTrace } from '../../../../src/trace/open.ts';
import { sampleContents, samplePages, scratchDir, writeRaws } from '../../trace/samples.ts';

const pageBytes = 4096;
/** Longer than the pages of any fixture. */
const spanNs = 20_000_000_000n;

export interface LongTrace {
  /** What is known of the guest, by name. */
  readonly contents: ReadonlyMap<string, Buffer>;
  readonly pages: Readonly<Record<number, Buffer>>;
}

/** The pages `times` times, each time later. */
export function repeated(pages: Uint8Array, times: number): Buffer {
  const all = Buffer.concat(Array.from({ length: times }, () => pages));
  for (let at = 0; at < all.length; at += pageBytes) {
    const shift = BigInt(Math.floor(at / pages.length)) * spanNs;
    all.writeBigUInt64LE(all.readBigUInt64LE(at) + shift, at);
  }
  return all;
}

/** The top level's pages of a trace.dat, repeated. */
export async function fromFile(path: string, times: number): Promise<LongTrace> {
  const trace = await openTrace(path);
  const file = await open(path);
  try {
    const { headerPage } = await readTraceFile(file);
    const { source } = trace;
    const pages: Record<number, Buffer> = {};
    for (const { cpu, blocks } of source.buffers[0]!.cpus) {
      const all: Buffer[] = [];
      for await (const block of blocks()) all.push(Buffer.from(block));
      pages[cpu] = repeated(Buffer.concat(all), times);
    }
    const contents = new Map([
      ['events/header_page', Buffer.from(headerPage, 'latin1')],
      ...Array.from(source.formatTexts(), ([name, text]) => [name, Buffer.from(text, 'latin1')] as const),
      ['kallsyms', source.kallsyms()],
      ['printk_formats', source.printkFormats()],
      ['saved_cmdlines', Buffer.from(source.taskNames, 'latin1')],
    ] as const);
    return { contents, pages };
  } finally {
    await file.close();
    await trace.close();
  }
}

/** Enough for several parts. */
const samplePagesBytes = 50 * pageBytes;

/** The beginning of sample A, without the names of its tasks: printing events tells them. */
export async function namelessSample(): Promise<LongTrace> {
  const contents = new Map(await sampleContents('A'));
  contents.delete('saved_cmdlines');
  const { 0: first, 1: second } = samplePages('A');
  const beginning = (pages: Uint8Array): Buffer => Buffer.from(pages.subarray(0, samplePagesBytes));
  return { contents, pages: { 0: beginning(first!), 1: beginning(second!) } };
}

/** Writes a trace.dat. @returns its path */
export async function written(
  test: TestContext,
  { contents, pages }: LongTrace,
  isCompressed: boolean,
): Promise<string> {
  const dir = scratchDir(test);
  const out = join(dir, 'trace.dat');
  const metadata = parseMetadata(contents);
  await convert({
    cpus: writeRaws(dir, pages),
    metadata,
    out,
    compress: isCompressed ? 'zstd' : 'none',
  });
  return out;
}
