import type { ReportInput, ReportOptions } from '../report/options.ts';
import { report, type WriteText } from '../report/report.ts';
import type { OnUnprintable } from '../report/stream.ts';
import { maxFormatsLength } from '../report/trace-printer.ts';
import { PartOrders } from './part-orders.ts';
import { localThread } from './local-thread.ts';
import { Settler } from './settler.ts';
import { setupOf } from './setup.ts';
import { type PrintedPart, PrintingThread, startThread } from './threads.ts';

export interface Parallel {
  /** Number of threads that print; with 1, only the calling thread prints. */
  readonly threads: number;
  /** Size of a part, and the smallest report that is worth starting threads; both in bytes of pages. */
  readonly partBytes?: number;
  readonly leastBytes?: number;
  readonly start?: typeof startThread;
}

const usualPartBytes = 2 << 20;
const usualLeastBytes = 16 << 20;
/** Limit for time offsets: larger ones may make times wrap around. */
const mostOffset = 2n ** 62n;
/** Allowance for print formats that are compiled a second time, because their fields are needed elsewhere. */
const moreFormats = 8;

/**
 * Prints the same as `report`, with several threads: each prints parts, which are ranges of time, and the parts are
 * written in order. If it turns out that the text of a part depends on more than the part and the notes about it, the
 * calling thread prints everything and leaves out what was already written. Throws Failure.
 * @returns how many bytes the threads printed; undefined if they printed everything
 */
export async function parallelReport(
  inputs: readonly ReportInput[],
  options: ReportOptions,
  parallel: Parallel,
  write: WriteText,
  onUnprintable: OnUnprintable,
): Promise<number | undefined> {
  let written = 0;
  if (isDivisible(inputs, options, parallel)) {
    const counted: WriteText = async (bytes) => {
      await write(bytes);
      written += bytes.length;
    };
    if (await printParts(inputs, options, parallel, counted, onUnprintable)) return undefined;
  }
  const byThreads = written;
  const rest: WriteText = async (bytes) => {
    const known = Math.min(written, bytes.length);
    written -= known;
    if (known < bytes.length) await write(bytes.subarray(known));
  };
  await report(inputs, options, rest, onUnprintable);
  return byThreads;
}

/** Whether parts of the events can be printed on their own, and starting threads is worth it. */
function isDivisible(
  inputs: readonly ReportInput[],
  options: ReportOptions,
  { threads, leastBytes = usualLeastBytes }: Parallel,
): boolean {
  if (threads < 2 || options.follow !== undefined || options.wakeups || options.onStepBack !== undefined)
    return false;
  const streams = inputs.flatMap(({ trace }) => trace.buffers);
  const areSeveral = streams.length > 1;
  const canOrder = ({ timeOffset, clockHz }: ReportInput): boolean =>
    !areSeveral || (clockHz === undefined && timeOffset >= 0n && timeOffset < mostOffset);
  if (!inputs.every(canOrder) || (areSeveral && options.alignTimes)) return false;
  // each thread would find a different end of a recording that still grows
  if (inputs.some(({ trace }) => trace.source.recording?.endedAt === null)) return false;
  // where to cut parts is found by the times in the file, without the shift
  if (inputs.some(({ trace }) => trace.source.timeShift !== undefined)) return false;
  // which formats are beyond the limit depends on which event types come first, and so differs between threads
  const fit = inputs.every(({ trace }) => {
    const lengths = Array.from(trace.source.formatTexts(), ([, text]) => text.length);
    const longest = lengths.reduce((a, b) => Math.max(a, b), 0);
    return lengths.reduce((a, b) => a + b, moreFormats * longest) <= maxFormatsLength;
  });
  const bytes = inputs.reduce((sum, { trace }) => sum + trace.source.totalBytes, 0);
  return fit && bytes >= leastBytes;
}

/** @returns false if only the beginning was written */
async function printParts(
  inputs: readonly ReportInput[],
  options: ReportOptions,
  { threads: count, partBytes = usualPartBytes, start = startThread }: Parallel,
  write: WriteText,
  onUnprintable: OnUnprintable,
): Promise<boolean> {
  const filters = inputs.map((input) => options.filterOf(input));
  const orders = new PartOrders(inputs, filters, partBytes);
  const first = orders.next();
  if (first?.until === undefined) return false;
  const setup = await setupOf(inputs, filters, options);
  const threads: PrintingThread[] = [];
  const parts: PrintedPart[] = [];
  const give = (thread: PrintingThread, order = orders.next()): void => {
    if (order !== undefined) parts.push(thread.print(order, () => give(thread)));
  };
  const settler = new Settler(inputs, options.latency);
  let edges: readonly string[] | undefined;
  // this thread is running already, so it prints the beginning sooner than a new thread would
  const local = new PrintingThread(localThread(setup));
  try {
    const startThreads = (): void => {
      // its memory is no longer needed
      void local.end();
      for (let index = 0; index < count; index++) {
        const thread = new PrintingThread(start(setup));
        threads.push(thread);
        give(thread);
      }
    };
    parts.push(local.print(first, startThreads));
    for (let part = parts.shift(); part !== undefined; part = parts.shift()) {
      for (let isEnd = false; !isEnd; ) {
        const said = await part.next();
        switch (said.kind) {
          case 'begin':
            if (edges !== undefined && !isSame(edges, said.edges)) return false;
            break;
          case 'text': {
            const { piece } = said;
            if (piece.isDoubtful) return false;
            for (const [name, reason] of piece.said) onUnprintable(name, reason);
            await write(settler.settle(piece, part.thread.bytesOf(piece), part.thread.functions));
            part.thread.giveBack(piece);
            break;
          }
          case 'end':
            ({ edges } = said);
            settler.lastTime = said.lastTime ?? settler.lastTime;
            isEnd = true;
            break;
          case 'failed':
            return false;
          default:
            said satisfies never;
        }
      }
    }
    return !orders.areLost;
  } finally {
    await Promise.all([local, ...threads].map((thread) => thread.end()));
  }
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((edge, index) => edge === b[index]);
}
