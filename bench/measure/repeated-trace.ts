import { closeSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { convert } from '../../src/trace/convert/convert.ts';
import { readMetadataFile } from '../../src/trace/metadata/guest-metadata.ts';
import { PageCursor } from '../../src/trace/ring/page-cursor.ts';
import type { PageLayout } from '../../src/trace/ring/page-layout.ts';
import { repoRoot } from '../../test/repo-root.ts';

const fixtures = join(repoRoot, 'test/fixtures/A');
/** More than A's pages span, so that times go on where they are repeated. */
const spanNs = 12_000_000_000n;

/**
 * Writes a trace.dat of the pages of sample A, of 2 CPUs and 1 MB, repeated one after the other in time. Needs the same
 * space once more meanwhile, in `dir`. @returns the number of events
 */
export async function writeRepeated(dir: string, out: string, times: number): Promise<number> {
  const metadata = await readMetadataFile(join(fixtures, 'meta.tar.gz'));
  const cpus = new Map<number, string>();
  for (const cpu of [0, 1]) {
    const pages = gunzipSync(readFileSync(join(fixtures, `cpu${cpu}.raw.gz`)));
    const stamps = stampsOf(pages, metadata.layout);
    const path = join(dir, `cpu${cpu}.raw`);
    const fd = openSync(path, 'wx');
    for (let time = 0; time < times; time++) {
      writeSync(fd, pages);
      for (let at = 0; at < pages.length; at += metadata.layout.pageBytes)
        pages.writeBigUInt64LE(pages.readBigUInt64LE(at) + spanNs, at);
      for (const at of stamps) shiftStamp(pages, at);
    }
    closeSync(fd);
    cpus.set(cpu, path);
  }
  const { events } = await convert({ cpus, metadata, out });
  for (const path of cpus.values()) rmSync(path);
  return events;
}

/** Where absolute time stamps are. */
function stampsOf(pages: Buffer, layout: PageLayout): number[] {
  const cursor = new PageCursor(layout);
  const found: number[] = [];
  for (let at = 0; at < pages.length; at += layout.pageBytes) {
    cursor.load(pages.subarray(at, at + layout.pageBytes));
    while (cursor.next()) if (cursor.kind === 'time-stamp') found.push(at + cursor.recordOffset);
  }
  return found;
}

/** A stamp has 27 bits in its first word, above 5 bits of type, and 32 in the second. */
function shiftStamp(pages: Buffer, at: number): void {
  const first = pages.readUInt32LE(at);
  const stamp = BigInt(first >>> 5) + (BigInt(pages.readUInt32LE(at + 4)) << 27n) + spanNs;
  pages.writeUInt32LE(((Number(stamp & 0x7ff_ffffn) << 5) | (first & 31)) >>> 0, at);
  pages.writeUInt32LE(Number(stamp >> 27n), at + 4);
}
