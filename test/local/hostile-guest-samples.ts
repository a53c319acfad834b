import { readFileSync } from 'node:fs';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gunzipSync, gzipSync } from 'node:zlib';
import tar from 'tar-stream';

const fixturesDir = path.resolve(import.meta.dirname, '../../../test/fixtures');

/** A fixture's bytes as stored. */
export function fixture(name: string): Buffer {
  return readFileSync(path.join(fixturesDir, name));
}

/** The first pages of a recorded trace of two CPUs. */
export function samplePages(cpu: number): Buffer {
  return gunzipSync(fixture(`A/cpu${cpu}.raw.gz`)).subarray(0, 20 * 4096);
}

export type Entries = [header: Partial<tar.Header> & { readonly name: string }, content: string][];

/** The entries of that trace's metadata, to be changed and packed again. */
export async function sampleEntries(): Promise<Entries> {
  const entries: Entries = [];
  const extract = tar.extract();
  extract.end(gunzipSync(fixture('A/meta.tar.gz')));
  for await (const entry of extract) {
    const content = await buffer(entry);
    if (entry.header.type === 'file') entries.push([{ name: entry.header.name }, content.toString('latin1')]);
  }
  return entries;
}

/** A gzipped tar of these entries. */
export async function packed(entries: Entries): Promise<Buffer> {
  const pack = tar.pack();
  for (const [header, content] of entries) pack.entry(header, Buffer.from(content, 'latin1'));
  pack.finalize();
  return gzipSync(await buffer(pack));
}
