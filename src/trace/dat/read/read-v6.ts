import { chosenClock } from '../../metadata/trace-clock.ts';
import { maxCpus } from '../../../base/cpu-list.ts';
import { ByteReader, TraceFileError } from './byte-reader.ts';
import type { CpuExtent } from '../cpu-data.ts';
import { optionId } from '../ids.ts';
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

/** Limit for tables of all instances together: in a bad file they may all point to one table. */
const maxTables = 1 << 16;
/** Size of the id that ends the options. */
const doneSize = 2;
/** Limit for the text of `trace_clock`, which lists each clock once. */
const maxClockBytes = 4096;

/**
 * Reads a version 6 file; `reader` is positioned just after the page size. `open` returns a reader positioned at the
 * given file offset. Throws TraceFileError.
 */
export function readV6(reader: ByteReader, open: (position: number) => ByteReader): TraceFile {
  const headerPage = readHeaderInfo(reader);
  const formats = new FormatTexts();
  readFormats(reader, 'ftrace', formats);
  readSystems(reader, formats);
  const symbolsAt = reader.position;
  const symbols = readSymbols(reader);
  const printkAt = reader.position;
  reader.skip(reader.u32());
  const taskNames = readTaskNames(reader);
  const cpuCount = reader.u32();
  if (cpuCount > maxCpus) throw new TraceFileError(`${cpuCount} CPUs at ${reader.position}`);

  const options = noOptions();
  const instances: { readonly name: string; readonly offset: number }[] = [];
  let withClock = false;
  let optionsAt: { from: number; to: number } | undefined;
  let optionCount = 0;
  let part = reader.string();
  if (part === 'options  ') {
    const from = reader.position;
    for (let id = reader.u16(); id !== optionId.done; id = reader.u16()) {
      const content = reader.bytes(reader.u32());
      if (++optionCount > maxOptions)
        throw new TraceFileError(`more than ${maxOptions} options before ${reader.position}`);
      if (id === optionId.buffer) {
        const isMany = instances.length + 1 >= maxBuffers;
        if (isMany || (instances.length + 1) * Math.max(1, cpuCount) > maxTables)
          throw new TraceFileError(`more than ${instances.length} instances of ${cpuCount} CPUs`);
        const place = ByteReader.ofMemory(content);
        instances.push({ offset: place.size(), name: place.string() });
      }
      withClock ||= id === optionId.traceClock;
      takeOption(options, id, content);
    }
    optionsAt = { from, to: reader.position - doneSize };
    part = reader.string();
  }
  if (part !== 'flyrecord')
    throw new TraceFileError(`no ring buffer pages (flyrecord) before ${reader.position}`);
  const tables = [reader.position];
  const top = readBuffer(reader, '', cpuCount, withClock);
  options.traceClock = top.traceClock;
  const buffers = [top.buffer];
  for (const { name, offset } of instances) {
    const place = open(offset);
    if (place.string() !== 'flyrecord') throw new TraceFileError(`no pages for the instance at ${offset}`);
    tables.push(place.position);
    buffers.push(readBuffer(place, name, cpuCount, withClock).buffer);
  }
  return {
    version: 6,
    compression: 'none',
    headerPage,
    formats,
    symbols,
    kallsyms: () => readCountedText(open(symbolsAt)),
    printkFormats: () => readCountedText(open(printkAt)),
    taskNames,
    options,
    buffers,
    places: { version: 6, options: optionsAt, headEnd: reader.position, tables },
  };
}

/** Reads an instance's page table, which follows its `flyrecord`, and its clock. */
function readBuffer(
  reader: ByteReader,
  name: string,
  cpuCount: number,
  withClock: boolean,
): { readonly buffer: TraceBuffer; readonly traceClock: string } {
  const cpus: CpuExtent[] = [];
  for (let cpu = 0; cpu < cpuCount; cpu++) cpus.push({ cpu, offset: reader.size(), bytes: reader.size() });
  const clockBytes = withClock ? reader.size() : 0;
  if (clockBytes > maxClockBytes)
    throw new TraceFileError(`a trace clock of ${clockBytes} bytes at ${reader.position}`);
  const traceClock = reader.bytes(clockBytes).toString('latin1');
  return { buffer: { name, clock: chosenClock(traceClock) ?? '', cpus }, traceClock };
}
