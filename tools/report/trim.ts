import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { convert } from '../../src/trace/convert/convert.ts';
import { parseMetadata } from '../../src/trace/metadata/guest-metadata.ts';
import { PageCursor } from '../../src/trace/ring/page-cursor.ts';
import { openSource } from '../../src/trace/source/open-source.ts';

/** Sections of trace-cmd.dat.v7(5). */
const headerInfo = 16;
const ftraceEvents = 17;
const eventFormats = 18;
const kallsyms = 19;
const printk = 20;
const cmdlines = 21;

interface Page {
  readonly cpu: number;
  readonly index: number;
  readonly bytes: Buffer;
  /** Of its events. */
  readonly ids: ReadonlySet<number>;
}

/**
 * Makes a small trace.dat (version 7, zstd) of a large uncompressed one of version 7: `most` of its pages, those with the
 * most kinds of events between them, and of the metadata only what these pages need. Pages keep their order, so time does
 * too; that pages are missing between them is not marked.
 * @param from index of the first page of each CPU that may be taken
 */
export async function trim(path: string, out: string, most: number, from = 0): Promise<void> {
  const source = await openSource(path);
  const work = mkdtempSync(join(tmpdir(), 'virtio-trace-trim-'));
  try {
    const pages: Page[] = [];
    const cursor = new PageCursor(source.layout);
    const [buffer] = source.buffers;
    for (const { cpu, blocks } of buffer?.cpus ?? []) {
      let index = 0;
      for await (const block of blocks()) {
        for (let at = 0; at + source.layout.pageBytes <= block.length; at += source.layout.pageBytes) {
          const bytes = Buffer.from(block.subarray(at, at + source.layout.pageBytes));
          if (index++ >= from) pages.push({ cpu, index, bytes, ids: idsOf(cursor, bytes) });
        }
      }
    }
    const taken = withMostKinds(pages, most);
    const ids = new Set(taken.flatMap((page) => [...page.ids]));
    const contents = metadataOf(readFileSync(path), ids, taken);
    contents.set('uname', Buffer.from(`${source.uname}\n`));
    contents.set('trace_clock', Buffer.from(`[${buffer?.clock ?? 'local'}]\n`));
    const cpus = new Map<number, string>();
    for (const cpu of new Set(taken.map((page) => page.cpu))) {
      const raw = join(work, `cpu${cpu}.raw`);
      const own = taken.filter((page) => page.cpu === cpu).sort((a, b) => a.index - b.index);
      writeFileSync(raw, Buffer.concat(own.map((page) => page.bytes)));
      cpus.set(cpu, raw);
      contents.set(
        `per_cpu/cpu${cpu}/stats`,
        Buffer.from(`entries: 0\noverrun: 0\nread events: ${own.length}\n`),
      );
    }
    await convert({ cpus, metadata: parseMetadata(contents), out, compress: 'zstd', traceId: 1n });
  } finally {
    await source.close();
    rmSync(work, { recursive: true, force: true });
  }
}

function idsOf(cursor: PageCursor, page: Uint8Array): Set<number> {
  const ids = new Set<number>();
  cursor.load(page);
  while (cursor.next()) if (cursor.kind === 'data') ids.add(cursor.view.getUint16(cursor.dataOffset, true));
  return ids;
}

/** Again and again the page that adds the most; then the first ones. */
function withMostKinds(pages: readonly Page[], most: number): Page[] {
  const left = new Set(pages);
  const taken: Page[] = [];
  const known = new Set<number>();
  while (taken.length < most) {
    let best: Page | undefined;
    let bestNew = 0;
    for (const page of left) {
      let added = 0;
      for (const id of page.ids) if (!known.has(id)) added++;
      if (added > bestNew) [best, bestNew] = [page, added];
    }
    best ??= left.values().next().value;
    if (best === undefined) break;
    left.delete(best);
    taken.push(best);
    for (const id of best.ids) known.add(id);
  }
  return taken;
}

/** The metadata files, without the formats and symbols that these pages do not need. */
function metadataOf(file: Buffer, ids: ReadonlySet<number>, pages: readonly Page[]): Map<string, Buffer> {
  const contents = new Map<string, Buffer>();
  let addresses = new Set<string>();
  for (const [id, payload] of sections(file)) {
    const reader = new Reader(payload);
    if (id === headerInfo) {
      for (const name of ['header_page', 'header_event']) {
        reader.string();
        contents.set(`events/${name}`, reader.sized64());
      }
    } else if (id === ftraceEvents) {
      addFormats(contents, 'ftrace', reader, () => true);
    } else if (id === eventFormats) {
      for (let systems = reader.u32(); systems > 0; systems--)
        addFormats(contents, reader.string(), reader, (event) => ids.has(event));
    } else if (id === kallsyms) {
      const text = reader.bytes(reader.u32()).toString('latin1');
      addresses = kernelAddresses(pages);
      contents.set('kallsyms', Buffer.from(neededSymbols(text, addresses), 'latin1'));
    } else if (id === printk) {
      contents.set('printk_formats', reader.bytes(reader.u32()));
    } else if (id === cmdlines) {
      contents.set('saved_cmdlines', reader.sized64());
    }
  }
  return contents;
}

function addFormats(
  contents: Map<string, Buffer>,
  system: string,
  reader: Reader,
  isWanted: (id: number) => boolean,
): void {
  for (let count = reader.u32(); count > 0; count--) {
    const text = reader.sized64();
    const [, name = '', id = ''] = /^name: (\S+)\nID: (\d+)\n/.exec(text.toString('latin1')) ?? [];
    if (isWanted(Number(id))) contents.set(`events/${system}/${name}/format`, text);
  }
}

/** Ids and payloads, as they stand one after the other. */
function* sections(file: Buffer): Generator<[id: number, payload: Buffer]> {
  // magic, "7\0", byte order, size of a long, u32 page size, then name and version of the compression
  const reader = new Reader(file.subarray(10 + 2 + 1 + 1 + 4));
  if (reader.string() !== 'none') throw new Error('the file is compressed');
  reader.string();
  reader.bytes(8);
  for (let last = 0; last !== cmdlines; ) {
    last = reader.bytes(2).readUInt16LE();
    reader.bytes(6);
    yield [last, reader.sized64()];
  }
}

/** All that looks like an address of the kernel's code or data, at any record's alignment. */
function kernelAddresses(pages: readonly Page[]): Set<string> {
  const found = new Set<string>();
  for (const { bytes } of pages)
    for (let at = 16; at + 8 <= bytes.length; at += 4)
      if (bytes.readUInt32LE(at + 4) === 0xffffffff)
        found.add(bytes.readBigUInt64LE(at).toString(16).padStart(16, '0'));
  return found;
}

/** Lines of `kallsyms`: of each address the symbol it is in, and the one after, which is where that ends. */
function neededSymbols(text: string, addresses: ReadonlySet<string>): string {
  const lines = text.split('\n').filter((line) => /^[0-9a-f]{16} [tTwW] /.test(line));
  lines.sort((a, b) => (a.slice(0, 16) < b.slice(0, 16) ? -1 : 1));
  const starts = lines.map((line) => line.slice(0, 16));
  const wanted = new Set<number>();
  for (const address of addresses) {
    let [low, high] = [0, starts.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((starts[middle] ?? '') <= address) low = middle + 1;
      else high = middle;
    }
    for (const at of [low - 1, low]) wanted.add(at);
  }
  return lines
    .filter((_, index) => wanted.has(index))
    .map((line) => `${line}\n`)
    .join('');
}

/** Little-endian. */
class Reader {
  #at = 0;
  readonly #from: Buffer;

  constructor(from: Buffer) {
    this.#from = from;
  }

  bytes(count: number): Buffer {
    if (this.#at + count > this.#from.length) throw new Error('the file ends too early');
    this.#at += count;
    return this.#from.subarray(this.#at - count, this.#at);
  }

  u32(): number {
    return this.bytes(4).readUInt32LE();
  }

  sized64(): Buffer {
    return this.bytes(Number(this.bytes(8).readBigUInt64LE()));
  }

  string(): string {
    const length = this.#from.indexOf(0, this.#at) - this.#at;
    return this.bytes(length + 1).toString('latin1', 0, length);
  }
}
