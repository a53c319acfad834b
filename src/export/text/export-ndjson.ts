import type { Writable } from 'node:stream';
import { json } from '../../base/quoted.ts';
import type { EventFormat } from '../../trace/format/event-format.ts';
import type { Field } from '../../trace/format/field.ts';
import type { RecordData } from '../../trace/format/record-data.ts';
import type { TraceEvent } from '../../trace/events/trace-event.ts';
import type { Machine } from '../../trace/session.ts';
import { type EventCounts, forEachEvent } from '../event-loop.ts';
import { FieldSpan } from '../field-span.ts';
import { type ExportSource, machinesOf, type MachinesOptions } from '../machines.ts';
import { writeOutput } from '../output/write-output.ts';
import type { ByteSink } from '../output/byte-sink.ts';
import { TextWriter } from './text-writer.ts';

export interface NdjsonOptions extends MachinesOptions {
  /** Compress the file; by default if the path ends in `.gz`. */
  readonly gzip?: boolean;
}

export interface NdjsonReport extends EventCounts {
  /** Size of the output. */
  readonly bytes: number;
}

/** Bytes per write. */
const writeBytes = 1 << 20;

const encoder = new TextEncoder();
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

const keys = {
  time: encoder.encode('{"ts":'),
  machine: (name: string) => encoder.encode(`,"machine":${json(name)},"cpu":`),
  cpu: encoder.encode(',"cpu":'),
  pid: encoder.encode(',"pid":'),
  comm: encoder.encode(',"comm":'),
  lost: encoder.encode(',"lost":'),
  buffer: encoder.encode(',"buffer":'),
  end: encoder.encode('}}\n'),
};
const noComm = encoder.encode('null');
const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;

/**
 * Writes each event as a JSON object on a line of its own; of several machines in the order of time. Memory is bounded, whatever the size of the trace. A file
 * appears when it is complete; a stream is written to but not ended. Throws as `exportPerfetto` does.
 */
export async function exportNdjson(
  from: ExportSource,
  to: string | Writable,
  options: NdjsonOptions = {},
): Promise<NdjsonReport> {
  const machines = machinesOf(from);
  const inputs = machines.map(({ trace }) => trace.path);
  const { result, bytes } = await writeOutput(inputs, to, options.gzip, async (sink) => {
    const writer = new LineWriter(machines);
    const counts = await forEachEvent(machines, options, (event) => {
      writer.add(event);
      return writer.out.length >= writeBytes ? drain(writer.out, sink) : undefined;
    });
    await drain(writer.out, sink);
    return counts;
  });
  return { ...result, bytes };
}

async function drain(out: TextWriter, sink: ByteSink): Promise<void> {
  await sink.write(out.view());
  out.clear();
}

/** Text shared by all events of a type. */
interface LineType {
  /** The part from the event's name to its first field. */
  readonly head: Uint8Array;
  readonly fields: readonly { readonly field: Field; readonly key: Uint8Array }[];
}

/** What the events of a machine have in common. */
class MachineText {
  /** The part from the time to the CPU. */
  readonly beforeCpu: Uint8Array;
  readonly #trace: Machine['trace'];
  readonly #types: (LineType | undefined)[] = [];
  readonly #comms = new Map<number, Uint8Array>();

  constructor({ name, trace }: Machine, isNamed: boolean) {
    this.#trace = trace;
    this.beforeCpu = isNamed ? keys.machine(name) : keys.cpu;
  }

  typeOf({ id, name, format }: TraceEvent): LineType {
    return (this.#types[id] ??= typeOf(name, format));
  }

  comm(pid: number): Uint8Array {
    const known = this.#comms.get(pid);
    if (known !== undefined) return known;
    const name = this.#trace.task(pid);
    // not cached: a hostile trace may have a new pid in each event
    if (name === undefined) return noComm;
    const text = encoder.encode(json(name));
    this.#comms.set(pid, text);
    return text;
  }
}

class LineWriter {
  readonly out = new TextWriter('quoted');
  readonly #machines: ReadonlyMap<string, MachineText>;
  /** If there is only one. */
  readonly #only: MachineText | undefined;
  readonly #span = new FieldSpan();

  constructor(machines: readonly Machine[]) {
    const isNamed = machines.length > 1;
    this.#machines = new Map(machines.map((machine) => [machine.name, new MachineText(machine, isNamed)]));
    this.#only = isNamed ? undefined : [...this.#machines.values()][0];
  }

  add(event: TraceEvent): void {
    const { out } = this;
    const { lost, buffer, record } = event;
    const machine = this.#only ?? this.#machines.get(event.machine)!;
    const type = machine.typeOf(event);
    out.copy(keys.time);
    out.time(event.timestamp);
    out.copy(machine.beforeCpu);
    out.decimal(event.cpu);
    out.copy(keys.pid);
    if (event.pid < 0) out.text(String(event.pid));
    else out.decimal(event.pid);
    out.copy(keys.comm);
    out.copy(machine.comm(event.pid));
    if (lost !== undefined) {
      out.copy(keys.lost);
      out.text(lost === 'unknown' ? '"unknown"' : String(lost));
    }
    if (buffer !== '') {
      out.copy(keys.buffer);
      out.text(json(buffer));
    }
    out.copy(type.head);
    let isFirst = true;
    for (const { field, key } of type.fields) {
      const isInteger = field.content === 'integer';
      if (isInteger ? field.offset + field.bytes > record.dataBytes : !this.#span.find(record, field))
        continue;
      if (!isFirst) out.byte(comma);
      isFirst = false;
      out.copy(key);
      if (isInteger) out.integer(field, record);
      else this.#compound(field, record);
    }
    out.copy(keys.end);
  }

  #compound(field: Field, record: RecordData): void {
    const { out } = this;
    const { start, end } = this.#span;
    switch (field.content) {
      case 'integers':
        out.byte(0x5b);
        out.integers(record, field, start, end);
        out.byte(0x5d);
        break;
      case 'bytes':
        out.byte(quote);
        out.hex(record.page, start, end);
        out.byte(quote);
        break;
      case 'text':
        this.#text(record.page);
        break;
      case 'integer':
        throw new TypeError('an integer is not compound');
      default:
        field.content satisfies never;
    }
  }

  /** Writes the text at the span, with JSON escapes if needed. */
  #text(page: Uint8Array): void {
    const span = this.#span;
    const { out } = this;
    span.endText(page);
    const { start, end } = span;
    out.reserve(end - start + 2);
    const { bytes } = out;
    let to = out.length;
    bytes[to++] = quote;
    for (let at = start; at < end; at++) {
      const byte = page[at]!;
      if (byte < 0x20 || byte > 0x7e || byte === quote || byte === backslash) {
        out.text(json(utf8.decode(page.subarray(start, end))));
        return;
      }
      bytes[to++] = byte;
    }
    bytes[to++] = quote;
    out.length = to;
  }
}

function typeOf(name: string, format: EventFormat | undefined): LineType {
  return {
    head: encoder.encode(`,"event":${json(name)},"fields":{`),
    fields: (format?.fields ?? []).map((field) => ({ field, key: encoder.encode(`${json(field.name)}:`) })),
  };
}
