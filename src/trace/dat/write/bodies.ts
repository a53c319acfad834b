import type { GuestMetadata } from '../../metadata/guest-metadata.ts';
import { ByteWriter } from './byte-writer.ts';
import { sectionId } from '../ids.ts';

/** One of the six parts that describe the kernel: a section each in version 7, concatenated in version 6. */
export interface Body {
  readonly id: number;
  readonly name: string;
  readonly content: Buffer;
}

/** The parts in the order of a version 6 file. */
export function bodiesOf(metadata: GuestMetadata): Body[] {
  return [
    { id: sectionId.headerInfo, name: 'headers', content: headerInfo(metadata) },
    { id: sectionId.ftraceEvents, name: 'ftrace events', content: ftraceEvents(metadata) },
    { id: sectionId.eventFormats, name: 'events format', content: eventFormats(metadata) },
    { id: sectionId.kallsyms, name: 'kallsyms', content: sized32(metadata.kallsyms) },
    { id: sectionId.printk, name: 'printk', content: sized32(metadata.printkFormats) },
    { id: sectionId.cmdlines, name: 'command lines', content: sized64(metadata.savedCmdlines) },
  ];
}

function headerInfo({ headerPage, headerEvent }: GuestMetadata): Buffer {
  return new ByteWriter()
    .string('header_page')
    .bytes(sized64(headerPage))
    .string('header_event')
    .bytes(sized64(headerEvent))
    .finish();
}

function ftraceEvents({ formats }: GuestMetadata): Buffer {
  return counted(formats.get('ftrace'));
}

function eventFormats({ formats }: GuestMetadata): Buffer {
  const systems = [...formats].filter(([system]) => system !== 'ftrace');
  const writer = new ByteWriter().u32(systems.length);
  for (const [system, events] of systems) writer.string(system).bytes(counted(events));
  return writer.finish();
}

function counted(events: ReadonlyMap<string, Buffer> = new Map()): Buffer {
  const writer = new ByteWriter().u32(events.size);
  for (const text of events.values()) writer.bytes(sized64(text));
  return writer.finish();
}

function sized32(text: Buffer): Buffer {
  return new ByteWriter().u32(text.length).bytes(text).finish();
}

function sized64(text: Buffer): Buffer {
  return new ByteWriter().u64(text.length).bytes(text).finish();
}
