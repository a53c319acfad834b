import { CallStacks, indentWidth } from '../handlers/function.ts';
import type { ReportInput } from '../report/options.ts';
import { taskNames, writeDifference } from '../report/trace-printer.ts';
import { PrintTaskNames } from '../symbols/task-names.ts';
import { noteKind, noteLength } from '../text/part-notes.ts';
import { TextBuffer } from '../text/text-buffer.ts';
import type { TextPiece } from './messages.ts';

/** What is known of one input up to the current piece. */
interface Known {
  readonly names: PrintTaskNames;
  /** Names as the labels show them, by pid, of tasks that parts did not know. */
  readonly columns: Map<number, Uint8Array>;
  readonly stacks: CallStacks;
  readonly stacksOfRepeats: CallStacks;
}

/** Names of functions by the numbers that a thread uses, for each input. */
export type FunctionNumbers = Map<number, string>[];

/** Completes the text of the parts, one after the other, with what depends on the parts before. */
export class Settler {
  /** Time of the previous line, for `--ts-diff`. */
  lastTime = 0n;
  readonly #inputs: readonly Known[];
  readonly #out = new TextBuffer();

  /** @param isShort whether labels are those of the latency format */
  constructor(inputs: readonly ReportInput[], isShort: boolean) {
    this.#inputs = inputs.map(({ trace }) => ({
      names: new PrintTaskNames(taskNames(trace.source.taskNames), isShort),
      columns: new Map(),
      stacks: new CallStacks(),
      stacksOfRepeats: new CallStacks(),
    }));
  }

  /** The text of a piece, which is in `bytes` and may be changed there; valid until the next call. */
  settle({ length, notes, texts }: TextPiece, bytes: Uint8Array, functions: FunctionNumbers): Uint8Array {
    const out = this.#out;
    out.length = 0;
    let copied = 0;
    const copyTo = (offset: number): void => {
      out.copy(bytes, copied, offset);
      copied = offset;
    };
    for (let at = 0; at < notes.length; at += noteLength) {
      const input = notes[at + 1]!;
      const offset = notes[at + 2]!;
      const a = notes[at + 3]!;
      const b = notes[at + 4]!;
      const c = notes[at + 5]!;
      const known = this.#inputs[input]!;
      switch (notes[at]) {
        case noteKind.label: {
          const column = columnOf(known, a);
          if (column.length === b) bytes.set(column, offset);
          else {
            copyTo(offset);
            out.copy(column);
            copied += b;
          }
          break;
        }
        case noteKind.learned: {
          // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as PrintTaskNames notes it
          const name = texts[b] as Uint8Array;
          known.names.learn(a, name, 0, name.length);
          known.columns.delete(a);
          break;
        }
        case noteKind.functionName:
          // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as the function handler notes it
          (functions[input] ??= new Map()).set(a, texts[b] as string);
          break;
        case noteKind.indent:
        case noteKind.indentOfRepeats: {
          const stacks = notes[at] === noteKind.indent ? known.stacks : known.stacksOfRepeats;
          const names = functions[input]!;
          const depth = stacks.depthOf(names.get(b)!, names.get(c), a);
          if (depth === 0) break;
          copyTo(offset);
          out.spaces(depth * indentWidth);
          break;
        }
        case noteKind.difference:
          copyTo(offset);
          // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as TracePrinter notes it
          writeDifference(out, this.lastTime, texts[a] as bigint);
          break;
        default:
          throw new Error(`note ${notes[at]}`);
      }
    }
    if (out.length === 0) return bytes.subarray(copied, length);
    copyTo(length);
    return out.bytes.subarray(0, out.length);
  }
}

function columnOf({ names, columns }: Known, pid: number): Uint8Array {
  const known = columns.get(pid);
  if (known !== undefined) return known;
  const column = Buffer.from(names.column(pid), 'latin1');
  columns.set(pid, column);
  return column;
}
