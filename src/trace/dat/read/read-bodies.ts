import { maxCpus } from '../../../base/cpu-list.ts';
import { symbolsIn, type Symbols } from '../../metadata/symbols.ts';
import { TraceFileError, type ByteReader } from './byte-reader.ts';
import { parseGuest } from '../guest-option.ts';
import { optionId } from '../ids.ts';
import { parseTimeShift } from '../time-shift.ts';
import type { TraceOptions } from './trace-file.ts';

/** Limit on the number of formats: event ids are 16 bits wide. */
const maxFormats = 1 << 16;

/** Number of bytes at the start of the symbols that are checked for addresses. */
const firstSymbolsBytes = 64 << 10;

/** Limit for the text of task names: the kernel keeps the names of at most 4 Mi tasks, by default 128. */
const maxTaskNamesBytes = 8 << 20;

/** Limit for the formats of all events; those of Debian's kernel have 3 MiB. */
const maxFormatsBytes = 32 << 20;

/** Limit for all options: one for each CPU's `stats`, one for each instance, and a few more. */
export const maxOptions = 200_000;

/** Limit for tracing instances: each costs a pass over the formats, or one more look-up for each event. */
export const maxBuffers = 1024;

/** Limit for guests of one host. */
const maxGuests = 1024;

/** Limit for the text of a `stats` file, which has about 200 bytes. */
const maxStatBytes = 4096;

/** The format texts read so far, by path. */
export class FormatTexts extends Map<string, string> {
  bytes = 0;
}

/** Reads the header info; returns the text of `events/header_page`. */
export function readHeaderInfo(reader: ByteReader): string {
  if (reader.string() !== 'header_page') throw new TraceFileError(`no header_page before ${reader.position}`);
  const text = reader.bytes(reader.size()).toString('latin1');
  if (reader.string() !== 'header_event')
    throw new TraceFileError(`no header_event before ${reader.position}`);
  reader.skip(reader.size());
  return text;
}

/** Reads the formats of one system into `formats`. */
export function readFormats(reader: ByteReader, system: string, formats: FormatTexts): void {
  const count = reader.u32();
  if (count + formats.size > maxFormats)
    throw new TraceFileError(`${count} formats of one system at ${reader.position}`);
  for (let index = 0; index < count; index++) {
    // the path is only a key and never opened; a system name must not add path components
    const path = `events/${system.replaceAll('/', '_')}/${formats.size}/format`;
    const text = reader.bytes(reader.size()).toString('latin1');
    formats.bytes += text.length;
    if (formats.bytes > maxFormatsBytes)
      throw new TraceFileError(`more than ${maxFormatsBytes} bytes of formats at ${reader.position}`);
    formats.set(path, text);
  }
}

/** Reads the formats of all systems except `ftrace`. */
export function readSystems(reader: ByteReader, formats: FormatTexts): void {
  const systems = reader.u32();
  if (systems > maxFormats) throw new TraceFileError(`${systems} event systems at ${reader.position}`);
  for (let index = 0; index < systems; index++) readFormats(reader, reader.string(), formats);
}

/** Skips the symbols; the first ones show whether they have addresses. */
export function readSymbols(reader: ByteReader): Symbols {
  const count = reader.u32();
  const first = Math.min(count, firstSymbolsBytes);
  const symbols = symbolsIn(reader.bytes(first));
  reader.skip(count - first);
  return symbols;
}

/** Limit for the symbols and for the texts of trace_printk; Debian's kernel has 4 MiB and 6 KiB. */
const maxTextBytes = 64 << 20;

/** A copy of the text of kallsyms or `printk_formats`, which is stored after its byte count. */
export function readCountedText(reader: ByteReader): Buffer {
  const count = reader.u32();
  if (count > maxTextBytes) throw new TraceFileError(`a text of ${count} bytes at ${reader.position}`);
  return Buffer.from(reader.bytes(count));
}

/** The text of `saved_cmdlines`; skips names beyond `maxTaskNamesBytes`. */
export function readTaskNames(reader: ByteReader): string {
  const count = reader.size();
  const first = Math.min(count, maxTaskNamesBytes);
  const text = reader.bytes(first).toString('latin1');
  reader.skip(count - first);
  return text;
}

/** Stores an option's value if it is one that is used here. Throws TraceFileError. */
export function takeOption(options: TraceOptions, id: number, content: Buffer): void {
  switch (id) {
    case optionId.cpuStat:
      if (options.cpuStats.length < maxCpus) options.cpuStats.push(textOf(content.subarray(0, maxStatBytes)));
      break;
    case optionId.traceClock:
      options.traceClock = textOf(content);
      break;
    case optionId.uname:
      options.uname = textOf(content).trimEnd();
      break;
    case optionId.offset: {
      const offset = /^-?\d{1,19}/.exec(textOf(content))?.[0];
      if (offset !== undefined) options.timeOffset = BigInt(offset);
      break;
    }
    case optionId.cpuCount:
      if (content.length >= 4) options.cpuCount = content.readUInt32LE();
      break;
    case optionId.version:
      options.writer = textOf(content);
      break;
    case optionId.traceId:
      if (content.length >= 8) options.traceId = content.readBigUInt64LE();
      break;
    case optionId.timeShift:
      options.timeShift = parseTimeShift(content);
      break;
    case optionId.guest:
      if (options.guests.length < maxGuests) options.guests.push(parseGuest(content));
      break;
  }
}

function textOf(content: Buffer): string {
  const nul = content.indexOf(0);
  return content.toString('latin1', 0, nul < 0 ? content.length : nul);
}
