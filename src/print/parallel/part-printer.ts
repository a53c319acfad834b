import { type CpuEvents, noEdge } from '../../trace/events/cpu-events.ts';
import { openTrace, type TracePart } from '../../trace/open.ts';
import type { ReportInput, ReportOptions } from '../report/options.ts';
import { align, printStreams, type TextSink, writeHeads } from '../report/report.ts';
import { printersOf, streamsOf } from '../report/stream.ts';
import type { LastTime, TracePrinter } from '../report/trace-printer.ts';
import { functionNames } from '../symbols/function-names.ts';
import { PartNotes } from '../text/part-notes.ts';
import { bufferKey, type PartOrder, type TextPiece, type ThreadSetup } from './messages.ts';

/** Prints parts of a report, with notes on what they leave open. */
export class PartPrinter {
  readonly notes = new PartNotes();
  #said: TextPiece['said'] = [];
  readonly #inputs: readonly ReportInput[];
  readonly #options: ReportOptions;
  readonly #alignTo: bigint | undefined;
  readonly #printers: readonly TracePrinter[];
  readonly #blocks = new Map<string, Buffer[]>();
  readonly #lastTime: LastTime = { last: undefined };

  /** Opens the inputs. Throws Failure. */
  static async open(setup: ThreadSetup): Promise<PartPrinter> {
    const inputs: ReportInput[] = [];
    for (const { path, totalBytes, label, timeOffset, clockHz } of setup.inputs) {
      const trace = await openTrace(path);
      if (trace.source.totalBytes !== totalBytes) throw new Error(`${path} has changed`);
      inputs.push({ trace, label, timeOffset, clockHz });
    }
    return new PartPrinter(setup, inputs);
  }

  private constructor({ inputs: setups, lines, withoutFlags, alignTo }: ThreadSetup, inputs: ReportInput[]) {
    this.#inputs = inputs;
    this.#alignTo = alignTo;
    const filters = new Map(
      inputs.map((input, index) => {
        const { filter, namesFunctions } = setups[index]!;
        return [input, { ...filter, ...(namesFunctions && { functionAt: functionNames(input.trace) }) }];
      }),
    );
    this.#options = {
      ...lines,
      withoutFlags,
      wakeups: false,
      alignTimes: false,
      filterOf: (input) => filters.get(input) ?? {},
    };
    const onUnprintable = (name: string, reason: string): void => {
      this.#said = [...this.#said, [name, reason]];
    };
    this.#printers = printersOf(inputs, lines, onUnprintable, this.#lastTime, this.notes);
  }

  /** Event types that were printed as fields for the first time since the last call. */
  takeSaid(): TextPiece['said'] {
    const said = this.#said;
    this.#said = [];
    return said;
  }

  #blocksOf(key: string): Buffer[] {
    const blocks = this.#blocks.get(key) ?? [];
    this.#blocks.set(key, blocks);
    return blocks;
  }

  /**
   * Prints a part. Throws Failure.
   * @param onBegin called before any text is given to `sink.flush`
   */
  async print(
    { from, until, steps }: PartOrder,
    sink: TextSink,
    onBegin: (edges: readonly string[]) => void,
  ): Promise<{ readonly edges: readonly string[]; readonly lastTime: bigint | undefined }> {
    const parts: TracePart[] = [];
    const partOf = (input: number, buffer: string): TracePart => {
      const shift = this.#inputs.length > 1 ? this.#inputs[input]!.timeOffset : 0n;
      const part = {
        from: from === undefined ? undefined : from - shift,
        until: until === undefined ? undefined : until - shift,
        steps: steps.get(bufferKey(input, buffer)) ?? [],
        watch: this.notes,
        blocks: this.#blocksOf(bufferKey(input, buffer)),
        cpus: [],
      };
      parts.push(part);
      return part;
    };
    for (const { taskNames } of this.#printers) taskNames.forget();
    this.#lastTime.last = undefined;
    const streams = streamsOf(this.#inputs, this.#options, this.#printers, partOf);
    align(streams, this.#alignTo);
    if (from === undefined) writeHeads(streams, this.#inputs.length, sink.out);
    const edges = (which: 'begin' | 'end'): string[] =>
      parts.flatMap(({ cpus }) => cpus.map((cpu) => cpu[which]));
    await printStreams(streams, this.#options, sink, {
      onLoaded: () => onBegin(edges('begin')),
      onIncomplete: ({ part, printer }, entry) => {
        const next = part && eventAfter(part);
        if (next !== undefined && printer.isExitOf(entry, next.id, next.cursor, next.pid))
          this.notes.isDoubtful = true;
      },
    });
    return { edges: edges('end'), lastTime: this.#lastTime.last };
  }
}

/** The CPU whose current event is the first one after the part; undefined if there is none. */
function eventAfter({ cpus }: TracePart): CpuEvents | undefined {
  let first: CpuEvents | undefined;
  for (const cpu of cpus)
    if (cpu.end !== noEdge && (first === undefined || cpu.timestamp < first.timestamp)) first = cpu;
  return first;
}
