import { linesOf } from '../../base/lines.ts';
import type { TraceEvent } from '../../trace/events/trace-event.ts';
import type { RecordData } from '../../trace/format/record-data.ts';
import type { EventFormat } from '../../trace/format/event-format.ts';
import type { Trace } from '../../trace/open.ts';
import type { PrintContext } from '../event/context.ts';
import { EventPrinter } from '../event/event-printer.ts';
import type { EventHandler } from '../handlers/handler.ts';
import { pluginFunctions } from '../handlers/functions.ts';
import { pluginHandlers } from '../handlers/handlers.ts';
import { type FunctionMap, parseFunctions } from '../symbols/function-map.ts';
import { PrintkFormats } from '../symbols/printk-formats.ts';
import { PrintTaskNames } from '../symbols/task-names.ts';
import { type InputNotes, noteKind } from '../text/part-notes.ts';
import type { TextBuffer } from '../text/text-buffer.ts';
import { type GraphEntry, GraphPrinter } from './graph.ts';
import { LatencyFlags } from './latency-flags.ts';
import type { LineOptions } from './options.ts';
import type { TimeUnits } from './time-unit.ts';
import { maxDistance, TimeWriter } from './time-writer.ts';

const space = 0x20;
const nameWidth = 20;
/** The event at the end of a function. If it comes right after the entry, it completes the entry's line. */
export const graphExit = 'ftrace:funcgraph_exit';
const unknownEvent = Buffer.from('[UNKNOWN EVENT]');

type Form = 'raw' | 'handler' | 'format' | 'graph-entry' | 'graph-exit' | 'unknown';

/** How one type of event is printed. */
interface Kind {
  /** `: name: ` and padding to the next column; without the first colon if the time difference precedes it. */
  readonly name: Uint8Array;
  readonly form: Form;
  readonly printer: EventPrinter | undefined;
  readonly handler: EventHandler | undefined;
}

/** Time of the previous line, for `--ts-diff`; undefined if it is not known, because only a part is printed. */
export interface LastTime {
  last: bigint | undefined;
}

/**
 * Prints the events of one trace as lines of trace-cmd report. Keeps state (task names, stacks) per trace: use one
 * printer for all buffers of a trace.
 */
export class TracePrinter {
  readonly latencyFlags: LatencyFlags;
  readonly taskNames: PrintTaskNames;
  readonly context: PrintContext;
  /** Called once for each event type that has no format, or an unusable one. */
  onUnprintable: (name: string, reason: string) => void = () => {};
  readonly #options: LineOptions;
  readonly #time: TimeWriter;
  readonly #kinds: (Kind | undefined)[] = Array.from({ length: 1 << 16 }, () => undefined);
  readonly #graph: GraphPrinter;
  readonly #graphExitId: number | undefined;
  readonly #isNs: boolean;
  readonly #differsInNs: boolean;
  readonly #lastTime: LastTime;

  /**
   * @param lastTime shared by all printers of a report
   * @param notes set if only parts of the trace are printed
   */
  constructor(
    trace: Trace,
    options: LineOptions,
    { isNs, isExact }: TimeUnits,
    lastTime: LastTime = { last: 0n },
    notes?: InputNotes,
  ) {
    this.#lastTime = lastTime;
    this.#options = options;
    this.#isNs = isNs;
    this.#differsInNs = options.nanoseconds || isExact;
    this.#time = new TimeWriter(isNs ? (options.nanoseconds ? 'ns' : 'us') : 'raw');
    const { source } = trace;
    this.taskNames = new PrintTaskNames(taskNames(source.taskNames), options.latency, notes);
    let functions: FunctionMap | undefined;
    let printk: PrintkFormats | undefined;
    const called = options.noPlugins ? [] : pluginFunctions;
    this.context = {
      longBytes: source.layout.commitBytes,
      functionMap: () => (functions ??= parseFunctions(source.kallsyms())),
      printkFormats: () => (printk ??= new PrintkFormats(source.printkFormats())),
      taskNames: this.taskNames,
      budget: { left: maxFormatsLength },
      functions: new Map(called.map((each) => [each.name, each])),
      notes,
    };
    const [first] = source.catalogue.formats();
    this.latencyFlags = new LatencyFlags(first && new EventPrinter(first, this.context).fields);
    const fieldsOf = (name: string): EventPrinter['fields'] | undefined => {
      const format = trace.format(`ftrace:${name}`);
      return format && new EventPrinter(format, this.context).fields;
    };
    this.#graphExitId = trace.format(graphExit)?.id;
    this.#graph = new GraphPrinter(
      this.context,
      options.handlers,
      fieldsOf('funcgraph_entry'),
      fieldsOf('funcgraph_exit'),
    );
  }

  /**
   * Appends the event's line. `timestamp` overrides the event's own time.
   * @returns a function's entry if its line is incomplete: pass it to `complete` with the buffer's next event
   */
  print(event: TraceEvent, timestamp: bigint | undefined, out: TextBuffer): GraphEntry | undefined {
    const start = out.length;
    const kind = this.#kinds[event.id] ?? this.#newKind(event);
    this.#writeStart(event, timestamp, out);
    out.copy(kind.name);
    const { record } = event;
    const { printer } = kind;
    switch (kind.form) {
      case 'format':
        printer!.print(record, out);
        break;
      case 'handler':
        if (kind.handler!(record, out, event)) printer!.print(record, out);
        break;
      case 'raw':
        printer!.printRaw(record, out);
        break;
      case 'graph-entry': {
        const entry = this.#graph.readEntry(event, out);
        if (entry !== undefined) return entry;
        printer!.print(record, out);
        break;
      }
      case 'graph-exit':
        if (!this.#graph.writeExit(out, record)) printer!.print(record, out);
        break;
      case 'unknown':
        this.#writeUnknown(event, out);
        break;
      default:
        kind.form satisfies never;
    }
    out.endLine(start);
    return undefined;
  }

  /**
   * Completes the line of a function's entry. `next`: the next event of the buffer, if there is one.
   * @returns whether the line includes `next`
   */
  complete(entry: GraphEntry, next: TraceEvent | undefined, out: TextBuffer): boolean {
    if (next !== undefined && this.isExitOf(entry, next.id, next.record, next.pid)) {
      this.#graph.writeLeaf(out, entry, next.record);
      // the idle tasks of all CPUs have pid 0, so this may be another CPU's event; trace-cmd then continues with that
      // CPU, because it still sorts that CPU by the event that was just printed
      if (next.cpu !== entry.cpu) next.keepPlace();
      out.endLine(0);
      return true;
    }
    this.#graph.writeNested(out, entry);
    out.endLine(0);
    return false;
  }

  /** Whether an event is the end of the function. */
  isExitOf(entry: GraphEntry, id: number, record: RecordData, pid: number): boolean {
    return id === this.#graphExitId && this.#graph.isExitOf(entry, record, pid);
  }

  #writeStart(event: TraceEvent, timestamp: bigint | undefined, out: TextBuffer): void {
    const { latency, timeDifference } = this.#options;
    this.taskNames.writeLabel(out, event.pid, event.cpu);
    if (latency) this.#writeFlags(event, out);
    if (this.#isNs) out.byte(space);
    if (timestamp !== undefined) this.#time.write(out, timestamp);
    else if (Math.abs(event.time) < maxDistance) this.#time.writeAfter(out, event.timeOrigin, event.time);
    else this.#time.write(out, event.timestamp);
    if (timeDifference) this.#writeDifference(timestamp ?? event.timestamp, out);
  }

  #writeFlags({ record }: TraceEvent, out: TextBuffer): void {
    if (this.#options.raw) {
      out.string('-0x');
      out.hex(this.latencyFlags.flags(record));
    } else this.latencyFlags.write(out, record);
  }

  #writeDifference(timestamp: bigint, out: TextBuffer): void {
    const inUnits = this.#differsInNs ? timestamp : (timestamp + 500n) / 1000n;
    const { last } = this.#lastTime;
    this.#lastTime.last = inUnits;
    out.string(': ');
    if (last !== undefined) {
      writeDifference(out, last, inUnits);
      return;
    }
    const { notes, input } = this.context.notes!;
    notes.add(noteKind.difference, input, out.length, notes.text(inUnits), 0, 0);
  }

  #writeUnknown(event: TraceEvent, out: TextBuffer): void {
    const { record } = event;
    out.copy(unknownEvent);
    out.string(` id=${event.id} data=`);
    for (let index = 0; index < record.dataBytes; index++)
      out.hexByte(record.page[record.dataOffset + index]!);
  }

  #newKind(event: TraceEvent): Kind {
    const { format } = event;
    const kind = format === undefined ? this.#unknownKind(event.id) : this.#kindOf(format);
    this.#kinds[event.id] = kind;
    return kind;
  }

  #unknownKind(id: number): Kind {
    const name = `#${id}`;
    this.onUnprintable(name, 'the trace has no format for this event');
    return { name: this.#nameColumn(name), form: 'unknown', printer: undefined, handler: undefined };
  }

  #nameColumn(name: string): Uint8Array {
    const colon = this.#options.timeDifference ? '' : ':';
    return Buffer.from(`${colon} ${name}: ${' '.repeat(Math.max(0, nameWidth - name.length))}`, 'latin1');
  }

  #kindOf(format: EventFormat): Kind {
    const { raw, rawEvents, noPlugins, noHandlerEvents, handlers } = this.#options;
    const { name, system, fullName } = format;
    const printer = new EventPrinter(format, this.context);
    const matches = (patterns: readonly RegExp[]): boolean =>
      patterns.some((pattern) => pattern.test(name) || pattern.test(system));
    const kind = { name: this.#nameColumn(name), printer, handler: undefined };
    if (raw || matches(rawEvents)) return { ...kind, form: 'raw' };
    const mayHandle = !noPlugins && !matches(noHandlerEvents);
    if (mayHandle && fullName === 'ftrace:funcgraph_entry') return { ...kind, form: 'graph-entry' };
    if (mayHandle && fullName === graphExit) return { ...kind, form: 'graph-exit' };
    const make = mayHandle ? pluginHandlers.get(fullName) : undefined;
    if (make === undefined) {
      if (printer.failure !== undefined) this.onUnprintable(fullName, printer.failure);
      return { ...kind, form: 'format' };
    }
    const handler = make({
      fields: printer.fields,
      context: this.context,
      options: handlers,
      writeTime: (out, time) => this.#time.write(out, time),
    });
    return { ...kind, form: 'handler', handler };
  }
}

/** Writes the time since the line before, as `--ts-diff` does. */
export function writeDifference(out: TextBuffer, last: bigint, time: bigint): void {
  const text = last === 0n ? '' : `(+${BigInt.asIntN(64, time - last)})`;
  out.string(text);
  out.spaces(8 - text.length);
}

/** Limit for all print formats together: compiled, they take about 100 times the memory. Debian's kernel has 1 MiB. */
export const maxFormatsLength = 8 << 20;

/** Limit for a task's name, which begins each line; the kernel's is 16, for kernel threads 64. */
const maxNameBytes = 256;

/** The task names that the trace contains. */
export function* taskNames(text: string): Generator<readonly [number, Uint8Array]> {
  for (const line of linesOf(text)) {
    const [, pid, name] = /^ *(\d{1,7}) (.+)$/.exec(line) ?? [];
    if (pid !== undefined && name !== undefined)
      yield [Number(pid), Buffer.from(name.slice(0, maxNameBytes), 'latin1')];
  }
}
