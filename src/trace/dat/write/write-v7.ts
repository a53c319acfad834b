import type { GuestMetadata } from '../../metadata/guest-metadata.ts';
import { bodiesOf } from './bodies.ts';
import { ByteWriter } from './byte-writer.ts';
import { appendCompressed, appendPages, frameOf, type CpuExtent, type CpuSource } from '../cpu-data.ts';
import { flagCompressed, magic, optionId, sectionHeaderBytes, sectionId } from '../ids.ts';
import { commonOptions, cString, namesClock, packOptions, u32Of, u64Of } from './options.ts';
import type { Option, TraceFacts } from './options.ts';
import type { Output } from '../../file/output.ts';
import { loadZstd } from '../zstd.ts';

export type Compression = 'none' | 'zstd';

/** Version of each compression format; for zstd it is not the version of a library. */
const compressionVersion = { none: '', zstd: '1' } as const;

/** The string table with the section names. */
class Strings {
  readonly #content = new ByteWriter();

  add(name: string): number {
    const offset = this.#content.length;
    this.#content.string(name);
    return offset;
  }

  finish(): Buffer {
    return this.#content.finish();
  }
}

/** Writes a complete version 7 file, with the CPUs in the order of `sources`. */
export async function writeV7(
  output: Output,
  metadata: GuestMetadata,
  facts: TraceFacts,
  sources: AsyncIterable<CpuSource>,
  compression: Compression,
): Promise<CpuExtent[]> {
  if (compression === 'zstd') await loadZstd();
  const { pageBytes, commitBytes } = metadata.layout;
  const strings = new Strings();
  const head = new ByteWriter().bytes(magic).string('7').u8(0).u8(commitBytes).u32(pageBytes);
  head.string(compression).string(compressionVersion[compression]);
  const optionsOffsetAt = head.length;
  await output.append(head.u64(0).finish());

  const places: Option[] = [];
  for (const { id, name, content } of bodiesOf(metadata)) {
    places.push({ id, content: u64Of(output.offset) });
    const payload = compression === 'zstd' ? frameOf(content) : content;
    const flags = compression === 'zstd' ? flagCompressed : 0;
    await output.append(sectionHeader(id, flags, strings.add(name), payload.length));
    await output.append(payload);
  }

  const bufferAt = output.offset;
  const bufferName = strings.add('buffer flyrecord');
  await output.append(Buffer.alloc(sectionHeaderBytes));
  const append = compression === 'zstd' ? appendCompressed : appendPages;
  const extents: CpuExtent[] = [];
  for await (const source of sources) extents.push(await append(output, source, pageBytes));
  const bufferBytes = output.offset - bufferAt - sectionHeaderBytes;
  const bufferFlags = compression === 'zstd' ? flagCompressed : 0;
  await output.writeAt(bufferAt, sectionHeader(sectionId.buffer, bufferFlags, bufferName, bufferBytes));

  const optionsName = strings.add('options');
  const names = strings.add('strings');
  const stringTable = strings.finish();
  await output.append(sectionHeader(sectionId.strings, 0, names, stringTable.length));
  await output.append(stringTable);

  const optionsAt = output.offset;
  const cpuCount = Math.max(0, ...facts.cpus.map((cpu) => cpu + 1));
  const options = [{ id: optionId.cpuCount, content: u32Of(cpuCount) }, ...commonOptions(facts)];
  if (namesClock(facts)) options.push({ id: optionId.traceClock, content: cString(facts.traceClock) });
  options.push(...places);
  options.push({ id: optionId.buffer, content: bufferOption(bufferAt, facts.clock, pageBytes, extents) });
  options.push({ id: optionId.done, content: u64Of(0) });
  const packed = packOptions(options);
  await output.append(sectionHeader(sectionId.options, 0, optionsName, packed.length));
  await output.append(packed);
  await output.writeAt(optionsOffsetAt, u64Of(optionsAt));
  return extents;
}

export function sectionHeader(id: number, flags: number, name: number, payloadBytes: number): Buffer {
  return new ByteWriter().u16(id).u16(flags).u32(name).u64(payloadBytes).finish();
}

function bufferOption(
  offset: number,
  clock: string,
  pageBytes: number,
  extents: readonly CpuExtent[],
): Buffer {
  const writer = new ByteWriter().u64(offset).string('').string(clock).u32(pageBytes).u32(extents.length);
  for (const extent of extents) writer.u32(extent.cpu).u64(extent.offset).u64(extent.bytes);
  return writer.finish();
}
