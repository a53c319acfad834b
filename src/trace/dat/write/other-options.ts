import type { FileHandle } from 'node:fs/promises';
import { readPart } from '../../file/blocks.ts';
import type { Output } from '../../file/output.ts';
import { ByteReader, TraceFileError } from '../read/byte-reader.ts';
import { openSection } from '../read/read-v7.ts';
import type { OptionPlaces, TraceFile } from '../read/trace-file.ts';
import { optionId, sectionHeaderBytes, sectionId } from '../ids.ts';
import { ByteWriter } from './byte-writer.ts';
import { type Option, packOptions, u64Of } from './options.ts';
import { sectionHeader } from './write-v7.ts';

/** Limit for all options of a file together. */
const maxOptionsBytes = 64 << 20;
/** Bytes of a CPU in a table of version 6: offset and size of its pages. */
const rowSize = 16;
/** The kernel maps files by pages of so many bytes at least. */
const leastAlignment = 4096;

/** Appends a part of the file that is copied. */
export type CopyPart = (from: number, to: number) => Promise<void>;

/**
 * Copies a trace.dat with other options: everything else stays as it is. In version 7 they become one section, at the end
 * of the file. In version 6 they come before the pages, which move by whole pages.
 *
 * @param change gets the options, without the final `done`
 * @throws TraceFileError
 */
export async function copyWithOptions(
  input: FileHandle,
  { places, buffers }: Pick<TraceFile, 'places' | 'buffers'>,
  {
    output,
    copy,
    pageBytes,
  }: { readonly output: Output; readonly copy: CopyPart; readonly pageBytes: number },
  change: (options: readonly Option[]) => readonly Option[],
): Promise<void> {
  const { size } = await input.stat();
  if (places.version === 7) {
    await copyV7(input, size, places, { output, copy }, change);
    return;
  }
  const cpuCount = buffers[0]?.cpus.length ?? 0;
  await copyV6(input, size, { places, cpuCount, pageBytes }, { output, copy }, change);
}

interface Target {
  readonly output: Output;
  readonly copy: CopyPart;
}

async function copyV7(
  { fd }: FileHandle,
  size: number,
  { pointer, sections }: Extract<OptionPlaces, { version: 7 }>,
  { output, copy }: Target,
  change: (options: readonly Option[]) => readonly Option[],
): Promise<void> {
  const options: Option[] = [];
  let bytes = 0;
  for (const at of sections) {
    const section = openSection(ByteReader.ofFile(fd, at, size), sectionId.options);
    for (let id = section.u16(); ; id = section.u16()) {
      const content = Buffer.from(section.bytes(section.u32()));
      if (id === optionId.done) break;
      bytes = addBytes(bytes, content);
      options.push({ id, content });
    }
  }
  const head = readPart(fd, sections[0] ?? 0, sectionHeaderBytes);
  const name = head.readUInt32LE(4);
  // the new section takes the place of those at the end
  let end = size;
  for (const at of sections.toSorted((a, b) => b - a)) {
    const bytes = readPart(fd, at, sectionHeaderBytes).readBigUInt64LE(8);
    if (BigInt(at + sectionHeaderBytes) + bytes === BigInt(end)) end = at;
  }
  await copy(0, end);
  const packed = packOptions([...change(options), { id: optionId.done, content: u64Of(0) }]);
  await output.append(sectionHeader(sectionId.options, 0, name, packed.length));
  await output.append(packed);
  await output.writeAt(pointer, u64Of(end));
}

async function copyV6(
  { fd }: FileHandle,
  size: number,
  {
    places: { options: at, headEnd, tables },
    cpuCount,
    pageBytes,
  }: {
    readonly places: Extract<OptionPlaces, { version: 6 }>;
    readonly cpuCount: number;
    readonly pageBytes: number;
  },
  { output, copy }: Target,
  change: (options: readonly Option[]) => readonly Option[],
): Promise<void> {
  if (at === undefined) throw new TraceFileError('it has no options');
  const reader = ByteReader.ofFile(fd, at.from, at.to);
  const old: Option[] = [];
  let bytes = 0;
  while (reader.position < at.to) {
    const id = reader.u16();
    const content = Buffer.from(reader.bytes(reader.u32()));
    bytes = addBytes(bytes, content);
    old.push({ id, content });
  }
  const changed = change(old);
  const growth = packOptions(changed).length - (at.to - at.from);
  const alignment = Math.max(leastAlignment, pageBytes);
  const moved = Math.ceil(growth / alignment) * alignment;
  /** Where something is in the copy. */
  const newOffset = (offset: bigint, isUsed = true): bigint => {
    if (offset >= BigInt(headEnd)) return offset + BigInt(moved);
    if (isUsed) throw new TraceFileError(`pages at ${offset}, before the end of the tables`);
    return offset;
  };
  const movedTable = (table: Buffer): Buffer => {
    for (let row = 0; row < table.length; row += rowSize) {
      const offset = newOffset(table.readBigUInt64LE(row), table.readBigUInt64LE(row + 8) > 0n);
      table.writeBigUInt64LE(BigInt.asUintN(64, offset), row);
    }
    return table;
  };
  const options = changed.map(({ id, content }): Option => {
    if (id !== optionId.buffer) return { id, content };
    const place = new ByteWriter().u64(newOffset(content.readBigUInt64LE())).finish();
    return { id, content: Buffer.concat([place, content.subarray(place.length)]) };
  });
  const [topTable = 0, ...otherTables] = tables;
  const tableBytes = cpuCount * rowSize;
  await copy(0, at.from);
  await output.append(packOptions(options));
  await copy(at.to, topTable);
  await output.append(movedTable(readPart(fd, topTable, tableBytes)));
  await copy(topTable + tableBytes, headEnd);
  await output.append(Buffer.alloc(moved - growth));
  await copy(headEnd, size);
  for (const table of otherTables)
    await output.writeAt(Number(newOffset(BigInt(table))), movedTable(readPart(fd, table, tableBytes)));
}

function addBytes(bytes: number, content: Buffer): number {
  const sum = bytes + content.length;
  if (sum > maxOptionsBytes) throw new TraceFileError(`more than ${maxOptionsBytes} bytes of options`);
  return sum;
}
