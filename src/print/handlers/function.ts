import type { RecordData } from '../../trace/format/record-data.ts';
import type { PrintContext } from '../event/context.ts';
import { noteKind } from '../text/part-notes.ts';
import type { TextBuffer } from '../text/text-buffer.ts';
import { memoryValue, type Value } from '../value/value.ts';
import {
  type EventHandler,
  functionAt,
  type HandlerSetup,
  type MakeHandler,
  missing,
  numberField,
  writeFunctionName,
  writeHex,
  writeSigned,
} from './handler.ts';

export const indentWidth = 3;
/** Limit for the depth of a reconstructed stack: a guest may report any sequence of calls. */
const maxStack = 1000;

/** `ftrace:function`: the function, indented below its caller if that was traced just before. */
export const functionHandler: MakeHandler = (setup) => functions(setup, noteKind.indent);

function functions(setup: HandlerSetup, note: number): EventHandler {
  const { fields, context, options } = setup;
  const ip = numberField(fields, 'ip');
  const parentIp = numberField(fields, 'parent_ip');
  if (ip === undefined) return missing(fields, 'ip');
  if (parentIp === undefined) return missing(fields, 'parent_ip');
  const names = new FunctionNames(context);
  const stacks = new CallStacks();
  const indent = (out: TextBuffer, parent: number, called: number, cpu: number): void => {
    if (context.notes !== undefined) {
      names.tell(parent);
      names.tell(called);
      context.notes.notes.add(note, context.notes.input, out.length, cpu, parent, called);
      return;
    }
    const depth = stacks.depthOf(names.get(parent), called < 0 ? undefined : names.get(called), cpu);
    out.spaces(depth * indentWidth);
  };
  return (record, out, { cpu }) => {
    const called = functionAt(context, ip, record);
    const parent = functionAt(context, parentIp, record);
    if (parent >= 0 && options.indent) indent(out, parent, called, cpu);
    writeFunction(out, setup, called, ip, record);
    if (options.parent) {
      out.string(' <-- ');
      writeFunction(out, setup, parent, parentIp, record);
    }
    return false;
  };
}

/** Writes the name, with the offset if requested; the address if no function contains it. */
function writeFunction(
  out: TextBuffer,
  { context, options }: HandlerSetup,
  index: number,
  address: Value,
  record: RecordData,
): void {
  if (index < 0) {
    out.string('0x');
    writeHex(out, address, record);
    return;
  }
  writeFunctionName(out, context, index);
  if (options.offset) {
    const offset = address.big(record) - context.functionMap().address(index);
    out.string(`+0x${BigInt.asUintN(32, offset).toString(16)} `);
  }
}

/**
 * Reconstructs the call stack of each CPU from callers and callees: a function goes below its caller. Compares names,
 * because one function may have several addresses.
 */
export class CallStacks {
  readonly #stacks = new Map<number, string[]>();

  /** @param child undefined if it has no name */
  depthOf(parent: string, child: string | undefined, cpu: number): number {
    const stack = this.#stacks.get(cpu) ?? [];
    if (stack.length === 0) this.#stacks.set(cpu, stack);
    const found = stack.indexOf(parent);
    if (found >= 0) {
      if (child !== undefined && found + 1 < maxStack) stack[found + 1] = child;
      return found;
    }
    stack[0] = parent;
    if (child !== undefined) stack[1] = child;
    return 0;
  }
}

/** Names of functions by their index. */
class FunctionNames {
  readonly #context: PrintContext;
  readonly #names = new Map<number, string>();

  constructor(context: PrintContext) {
    this.#context = context;
  }

  /** Adds a note with the function's name, unless there is one already. */
  tell(index: number): void {
    const { notes } = this.#context;
    if (notes === undefined || index < 0 || this.#names.has(index)) return;
    const name = notes.notes.text(this.get(index));
    notes.notes.add(noteKind.functionName, notes.input, 0, index, name, 0);
  }

  get(index: number): string {
    const known = this.#names.get(index);
    if (known !== undefined) return known;
    const map = this.#context.functionMap();
    const { text } = map;
    const name = Buffer.from(text.buffer, text.byteOffset, text.length).toString(
      'latin1',
      map.nameStart(index),
      map.nameEnd(index),
    );
    this.#names.set(index, name);
    return name;
  }
}

/** `ftrace:func_repeats`: how often the function was called again, and the time of the last call. */
export const functionRepeatsHandler: MakeHandler = (setup) => {
  const { fields, writeTime } = setup;
  const print = functions(setup, noteKind.indentOfRepeats);
  const count = numberField(fields, 'count');
  const top = numberField(fields, 'top_delta_ts');
  const bottom = numberField(fields, 'bottom_delta_ts');
  return (record, out, event) => {
    print(record, out, event);
    if (count === undefined) return missing(fields, 'count')(record, out, event);
    if (top === undefined) return missing(fields, 'top_delta_ts')(record, out, event);
    if (bottom === undefined) return missing(fields, 'bottom_delta_ts')(record, out, event);
    out.string(' (count: ');
    writeSigned(out, count, record);
    out.string('  last_ts: ');
    const delta = (top.big(record) << 32n) | bottom.big(record);
    writeTime(out, BigInt.asUintN(64, event.timestamp - delta));
    out.string(')');
    return false;
  };
};

/** `ftrace:kernel_stack`: a line for each caller. */
export const stackHandler: MakeHandler = (setup) => {
  const { fields, context } = setup;
  const caller = fields.findAny('caller');
  if (caller === undefined) return missing(fields, 'caller', '', '');
  const { longBytes } = context;
  return (record, out) => {
    out.string('<stack trace >\n');
    for (let offset = caller.offset; offset < record.dataBytes; offset += longBytes) {
      const address = memoryValue(offset, longBytes);
      if (isEnd(address, record)) break;
      const index = functionAt(context, address, record);
      out.string('=> ');
      if (index >= 0) {
        writeFunction(out, setup, index, address, record);
        out.string(' (');
        writeHex(out, address, record);
        out.string(')\n');
      } else {
        writeHex(out, address, record);
        out.string('\n');
      }
    }
    return false;
  };
};

/** ULONG_MAX ends a stack; as in libtraceevent, so does any value whose low 32 bits are all set. */
function isEnd(address: Value, record: RecordData): boolean {
  return BigInt.asUintN(32, address.big(record)) === 0xffffffffn;
}

/** `ftrace:raw_data`, written through trace_marker_raw: an id and bytes. */
export const rawDataHandler: MakeHandler = ({ fields }): EventHandler => {
  const id = numberField(fields, 'id');
  const buffer = fields.findAny('buf');
  if (id === undefined) return missing(fields, 'id');
  return (record, out, event) => {
    out.string('# ');
    writeHex(out, id, record);
    if (buffer === undefined) return missing(fields, 'buf', '', '')(record, out, event);
    for (let at = buffer.offset; at < record.dataBytes; at++) {
      out.string(' ');
      out.hexByte(record.page[record.dataOffset + at]!);
    }
    return false;
  };
};
