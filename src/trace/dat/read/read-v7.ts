import { maxCpus } from '../../../base/cpu-list.ts';
import { ByteReader, TraceFileError } from './byte-reader.ts';
import type { CpuExtent } from '../cpu-data.ts';
import { flagCompressed, optionId, sectionId } from '../ids.ts';
import {
  FormatTexts,
  maxBuffers,
  maxOptions,
  readCountedText,
  readFormats,
  readHeaderInfo,
  readSymbols,
  readSystems,
  readTaskNames,
  takeOption,
} from './read-bodies.ts';
import { noOptions, type TraceBuffer, type TraceFile } from './trace-file.ts';
import { zstdDecompress } from '../zstd.ts';

/** Maximum number of options sections: trace-cmd may write several, and each is read once. */
const maxOptionsSections = 1000;
const maxSectionBytes = 64 << 20;
/**
 * Limit for tables of all buffers: sections of a bad file may overlap, so that one table would be read over and over.
 */
const maxTables = 1 << 16;

/**
 * Reads a version 7 file; `reader` is positioned just after the page size. `open` returns a reader positioned at the
 * given file offset. Throws TraceFileError.
 */
export function readV7(reader: ByteReader, open: (position: number) => ByteReader): TraceFile {
  const compression = reader.string();
  reader.string();
  if (compression !== 'none' && compression !== 'zstd') {
    throw new TraceFileError('compressed with something other than zstd', 'unsupported');
  }
  const options = noOptions();
  const places = new Map<number, number>();
  const buffers: TraceBuffer[] = [];
  let tables = 0;
  let optionCount = 0;
  const visited = new Set<number>();
  const pointer = reader.position;
  for (let at = reader.size(); at !== 0; ) {
    if (visited.has(at) || visited.size > maxOptionsSections)
      throw new TraceFileError(`the options have no end at ${at}`);
    visited.add(at);
    const section = openSection(open(at), sectionId.options);
    at = 0;
    for (;;) {
      const id = section.u16();
      const content = section.bytes(section.u32());
      if (++optionCount > maxOptions)
        throw new TraceFileError(`more than ${maxOptions} options before ${section.position}`);
      if (id === optionId.done) {
        if (content.length >= 8) at = ByteReader.ofMemory(content).size();
        break;
      }
      if (id === optionId.buffer) {
        const buffer = readBuffer(ByteReader.ofMemory(content));
        tables += Math.max(1, buffer.cpus.length);
        if (tables > maxTables || buffers.length === maxBuffers)
          throw new TraceFileError(`more than ${buffers.length} buffers before ${section.position}`);
        buffers.push(buffer);
      } else if (id >= sectionId.headerInfo && id <= sectionId.cmdlines) {
        places.set(id, ByteReader.ofMemory(content).size());
      } else takeOption(options, id, content);
    }
  }

  const section = (id: number): ByteReader | undefined => {
    const at = places.get(id);
    return at === undefined ? undefined : openSection(open(at), id);
  };
  const textOf = (id: number): Buffer => {
    const place = section(id);
    return place === undefined ? Buffer.alloc(0) : readCountedText(place);
  };
  const headers = section(sectionId.headerInfo);
  if (headers === undefined) throw new TraceFileError('no header info');
  const formats = new FormatTexts();
  const ftrace = section(sectionId.ftraceEvents);
  if (ftrace !== undefined) readFormats(ftrace, 'ftrace', formats);
  const systems = section(sectionId.eventFormats);
  if (systems !== undefined) readSystems(systems, formats);
  const kallsyms = section(sectionId.kallsyms);
  const cmdlines = section(sectionId.cmdlines);
  return {
    version: 7,
    compression,
    headerPage: readHeaderInfo(headers),
    formats,
    symbols: kallsyms === undefined ? 'missing' : readSymbols(kallsyms),
    kallsyms: () => textOf(sectionId.kallsyms),
    printkFormats: () => textOf(sectionId.printk),
    taskNames: cmdlines === undefined ? '' : readTaskNames(cmdlines),
    options,
    buffers,
    places: { version: 7, pointer, sections: [...visited] },
  };
}

/** The payload of the section at the reader, decompressed if needed. */
export function openSection(reader: ByteReader, id: number): ByteReader {
  const found = reader.u16();
  if (found !== id) throw new TraceFileError(`section ${found} in place of ${id} before ${reader.position}`);
  const flags = reader.u16();
  reader.skip(4 + 8);
  if ((flags & flagCompressed) === 0) return reader;
  const frameBytes = reader.u32();
  const bytes = reader.u32();
  if (bytes > maxSectionBytes) throw new TraceFileError(`a section of ${bytes} bytes at ${reader.position}`);
  const unpacked = zstdDecompress(reader.bytes(frameBytes), bytes);
  if (unpacked === undefined)
    throw new TraceFileError(`section ${id} before ${reader.position} cannot be decompressed`);
  return ByteReader.ofMemory(unpacked);
}

function readBuffer(reader: ByteReader): TraceBuffer {
  reader.skip(8);
  const name = reader.string();
  const clock = reader.string();
  reader.skip(4);
  const count = reader.u32();
  if (count > maxCpus) throw new TraceFileError(`a buffer of ${count} CPUs`);
  const cpus: CpuExtent[] = [];
  for (let index = 0; index < count; index++) {
    const cpu = reader.u32();
    if (cpu >= maxCpus) throw new TraceFileError(`a buffer with CPU ${cpu}`);
    cpus.push({ cpu, offset: reader.size(), bytes: reader.size() });
  }
  return { name, clock, cpus };
}
