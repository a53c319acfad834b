import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import tar from 'tar-stream';
import { EventCatalogue } from '../../../src/trace/format/event-catalogue.ts';
import { parsePageLayout, type PageLayout } from '../../../src/trace/ring/page-layout.ts';

const fixturesDir = path.resolve(import.meta.dirname, '../../../../test/fixtures');

/** A fixture's bytes; a name that ends in `.gz` is unpacked, unless `packed` is given. */
export function fixture(name: string, as: 'unpacked' | 'packed' = 'unpacked'): Uint8Array {
  const bytes = readFileSync(path.join(fixturesDir, name));
  return new Uint8Array(as === 'unpacked' && name.endsWith('.gz') ? gunzipSync(bytes) : bytes);
}

export function fixtureText(name: string): string {
  return new TextDecoder().decode(fixture(name));
}

const formatDirs = { kvm: 'kvm-format', msr: 'kvm-format', irq_vectors: 'irq-vectors-format' } as const;

/** Texts of formats that A's kernel does not have, by path below tracefs. */
export function fixtureFormats(
  system: keyof typeof formatDirs,
  names: readonly string[],
): [path: string, text: string][] {
  return names.map((name) => [
    `events/${system}/${name}/format`,
    fixtureText(`${formatDirs[system]}/${name}`),
  ]);
}

/** Texts by path of a metadata archive, only the files that are needed to decode. */
export async function archiveTexts(name: string): Promise<Map<string, string>> {
  const texts = new Map<string, string>();
  const extract = tar.extract();
  Readable.from([fixture(name)]).pipe(extract);
  for await (const entry of extract) {
    const content = await text(entry);
    if (entry.header.type === 'file') texts.set(entry.header.name.replace(/^\.\//, ''), content);
  }
  return texts;
}

let guestKernel: Promise<Map<string, string>> | undefined;

/** The metadata of the recorded guest's kernel; A and B are from the same kernel. */
export function guestTexts(): Promise<Map<string, string>> {
  guestKernel ??= archiveTexts('A/meta.tar.gz');
  return guestKernel;
}

export async function guestLayout(): Promise<PageLayout> {
  return parsePageLayout((await guestTexts()).get('events/header_page') ?? '');
}

export async function guestCatalogue(): Promise<EventCatalogue> {
  return new EventCatalogue(await guestTexts());
}

/** `events/header_page` of a 64-bit kernel with sub-buffers of that size. */
export function headerPageText(pageBytes: number): string {
  return [
    '\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;',
    '\tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;',
    '\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;',
    `\tfield: char data;\toffset:16;\tsize:${pageBytes - 16};\tsigned:1;`,
    '',
  ].join('\n');
}
