import { chosenClock } from '../metadata/trace-clock.ts';
import { maxCpus } from '../../cpu-list.ts';
import { TraceFileError, type ByteReader } from './byte-reader.ts';
import type { CpuExtent } from './cpu-data.ts';
import { optionId } from './ids.ts';
import { readFormats, readHeaderInfo, readSymbols, readSystems, takeOption } from './read-bodies.ts';
import { noOptions, type TraceFile } from './trace-file.ts';

/** Reads a version 6 file from behind its page size on. Throws TraceFileError. */
export function readV6(reader: ByteReader): TraceFile {
  const headerPage = readHeaderInfo(reader);
  const formats = new Map<string, string>();
  readFormats(reader, 'ftrace', formats);
  readSystems(reader, formats);
  const symbols = readSymbols(reader);
  reader.skip(reader.u32());
  reader.skip(reader.size());
  const cpuCount = reader.u32();
  if (cpuCount > maxCpus) throw new TraceFileError(`${cpuCount} CPUs`);

  const options = noOptions();
  let withClock = false;
  let part = reader.string();
  if (part === 'options  ') {
    for (let id = reader.u16(); id !== optionId.done; id = reader.u16()) {
      const content = reader.bytes(reader.u32());
      if (id === optionId.buffer)
        throw new TraceFileError('several instances, which are not read in version 6');
      withClock ||= id === optionId.traceClock;
      takeOption(options, id, content);
    }
    part = reader.string();
  }
  if (part !== 'flyrecord') throw new TraceFileError('no pages of a ring buffer (flyrecord)');
  const cpus: CpuExtent[] = [];
  for (let cpu = 0; cpu < cpuCount; cpu++) cpus.push({ cpu, offset: reader.size(), bytes: reader.size() });
  if (withClock) options.traceClock = reader.bytes(reader.size()).toString('latin1');
  const clock = chosenClock(options.traceClock) ?? '';
  return {
    version: 6,
    compression: 'none',
    headerPage,
    formats,
    symbols,
    options,
    buffers: [{ name: '', clock, cpus }],
  };
}
