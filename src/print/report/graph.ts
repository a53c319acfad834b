import type { TraceEvent } from '../../trace/events/trace-event.ts';
import type { RecordData } from '../../trace/format/record-data.ts';
import type { PrintContext } from '../event/context.ts';
import type { PrintFields } from '../format/print-field.ts';
import {
  functionAt,
  type HandlerOptions,
  numberField,
  writeFunctionName,
  writeMissing,
  writeSigned,
} from '../handlers/handler.ts';
import type { TextBuffer } from '../text/text-buffer.ts';
import type { Value } from '../value/value.ts';

const indentWidth = 2;
/** Limit for the depth: the guest's kernel limits it (FTRACE_RETFUNC_DEPTH), but is not trusted. */
const maxDepth = 1000;
const durationWidth = 7;

/** Marks for long durations, with their thresholds in ns. */
const marks: readonly (readonly [above: bigint, mark: string])[] = [
  [1_000_000_000n, '$ '],
  [1_000_000n, '# '],
  [100_000n, '! '],
  [10_000n, '+ '],
];

/** An entry whose line is incomplete: the next event shows whether the function calls others. */
export interface GraphEntry {
  readonly cpu: number;
  readonly pid: number;
  readonly func: bigint;
  readonly depth: bigint;
  /** Index of the function; -1 for none. */
  readonly index: number;
}

/** Prints `funcgraph_entry` and `funcgraph_exit` of one trace. */
export class GraphPrinter {
  readonly #context: PrintContext;
  readonly #options: HandlerOptions;
  readonly #entry: PrintFields | undefined;
  readonly #exit: PrintFields | undefined;

  constructor(
    context: PrintContext,
    options: HandlerOptions,
    entry: PrintFields | undefined,
    exit: PrintFields | undefined,
  ) {
    this.#context = context;
    this.#options = options;
    this.#entry = entry;
    this.#exit = exit;
  }

  /** Reads an entry; reports missing fields in `out` and returns undefined. */
  readEntry({ record, cpu, pid }: TraceEvent, out: TextBuffer): GraphEntry | undefined {
    const func = this.#need(this.#entry, 'func', out);
    const depth = func && this.#need(this.#entry, 'depth', out);
    if (func === undefined || depth === undefined) return undefined;
    return {
      cpu,
      pid,
      func: func.big(record),
      depth: depth.big(record),
      index: functionAt(this.#context, func, record),
    };
  }

  /** Whether the exit event in `record` belongs to this entry. */
  isExitOf(entry: GraphEntry, record: RecordData, pid: number): boolean {
    const func = this.#exit && numberField(this.#exit, 'func');
    return func !== undefined && pid === entry.pid && func.big(record) === entry.func;
  }

  /** Completes the line of a function that calls others. */
  writeNested(out: TextBuffer, entry: GraphEntry): void {
    out.string('             |  ');
    this.#writeFunction(out, entry, '() {');
  }

  /** Completes the line of a function that calls none; `record` is its exit. */
  writeLeaf(out: TextBuffer, entry: GraphEntry, record: RecordData): void {
    if (!this.#writeDuration(out, record)) return;
    this.#writeFunction(out, entry, '();');
  }

  /** Writes an exit event. @returns false if the print format must be printed as well */
  writeExit(out: TextBuffer, record: RecordData): boolean {
    if (!this.#writeDuration(out, record)) return false;
    const depth = this.#need(this.#exit, 'depth', out);
    if (depth === undefined) return false;
    indent(out, depth.big(record));
    out.string('}');
    if (this.#options.tailprint) {
      const func = this.#exit && numberField(this.#exit, 'func');
      const index = func === undefined ? -1 : functionAt(this.#context, func, record);
      if (index < 0) return true;
      out.string(' /* ');
      writeFunctionName(out, this.#context, index);
      out.string(' */');
    }
    if (this.#options.depth) {
      out.string(' (');
      writeSigned(out, depth, record);
      out.string(')');
    }
    return true;
  }

  #need(fields: PrintFields | undefined, name: string, out: TextBuffer): Value | undefined {
    const value = fields && numberField(fields, name);
    if (value === undefined && fields !== undefined) {
      writeMissing(out, fields, name);
      out.string('!');
    }
    return value;
  }

  #writeDuration(out: TextBuffer, record: RecordData): boolean {
    const end = this.#need(this.#exit, 'rettime', out);
    const start = end && this.#need(this.#exit, 'calltime', out);
    if (end === undefined || start === undefined) return false;
    const duration = BigInt.asUintN(64, end.big(record) - start.big(record));
    out.string(marks.find(([above]) => duration > above)?.[1] ?? '  ');
    const from = out.length;
    out.string((duration / 1000n).toString());
    const digits = out.length - from;
    if (digits < durationWidth) {
      // at most 7 digits in all
      const rest = (duration % 1000n).toString().padStart(3, '0');
      out.string(`.${rest}`);
    }
    const written = out.length - from;
    out.string(' us ');
    out.spaces(durationWidth - written);
    out.string('|  ');
    return true;
  }

  #writeFunction(out: TextBuffer, { func, depth, index }: GraphEntry, after: string): void {
    indent(out, depth);
    if (index >= 0) writeFunctionName(out, this.#context, index);
    else out.string(func.toString(16));
    out.string(after);
    if (this.#options.depth) out.string(` (${BigInt.asIntN(64, depth)})`);
  }
}

function indent(out: TextBuffer, depth: bigint): void {
  const count = BigInt.asIntN(32, depth * BigInt(indentWidth));
  if (count > 0n) out.spaces(Math.min(Number(count), maxDepth));
}
