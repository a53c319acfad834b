import { setImmediate } from 'node:timers/promises';
import type { MessagePort } from 'node:worker_threads';
import { TextBuffer } from '../text/text-buffer.ts';
import type { FromThread, PartOrder, ThreadSetup, ToThread } from './messages.ts';
import { PartPrinter } from './part-printer.ts';

const pieceBytes = 256 << 10;
const flushBytes = 240 << 10;
/** Maximum number of pieces that may wait to be written: the text of a part may have any length. */
const mostWaiting = 24;

/** Receives orders for parts, prints each part, and sends its text. */
export function servePrinting(port: MessagePort, setup: ThreadSetup): void {
  const opened = PartPrinter.open(setup);
  // the main thread gets the same error, and reports it
  opened.catch(() => undefined);
  const outlet = new Outlet(port);
  const print = async (order: PartOrder): Promise<void> => {
    try {
      await outlet.print(await opened, order);
    } catch {
      outlet.send({ kind: 'failed' });
    }
  };
  port.on('message', (message: ToThread) => {
    if (message.kind === 'print') void print(message.order);
    else outlet.takeBack(message.memory);
  });
}

/** Sends text in pieces, and is told when they are written. */
class Outlet {
  readonly #port: MessagePort;
  readonly #out = new TextBuffer(0);
  /**
   * The memory for the text, shared with the main thread. It is shared rather than transferred: after a thread has
   * transferred a buffer, V8 adds checks to the code that uses buffers. An entry is undefined if its memory was too
   * large to keep, and so was used only once.
   */
  readonly #memories: (Uint8Array | undefined)[] = [];
  readonly #unused: number[] = [];
  #current = -1;
  #waiting = 0;
  #onUsed = (): void => {};

  constructor(port: MessagePort) {
    this.#port = port;
    this.#takeMemory();
  }

  /** Throws Failure. */
  async print(printer: PartPrinter, order: PartOrder): Promise<void> {
    const sink = { out: this.#out, flushBytes, flush: () => this.#flush(printer) };
    const end = await printer.print(order, sink, (edges) => this.send({ kind: 'begin', edges }));
    this.send({ kind: 'end', ...end });
  }

  takeBack(memory: number): void {
    this.#waiting--;
    this.#unused.push(memory);
    this.#onUsed();
  }

  send(message: FromThread): void {
    this.#port.postMessage(message, []);
  }

  async #flush(printer: PartPrinter): Promise<void> {
    const { bytes, length } = this.#out;
    const { isDoubtful } = printer.notes;
    const memory = this.#current;
    const isKnown = this.#memories[memory] === bytes;
    if (!isKnown) this.#memories[memory] = bytes.length === pieceBytes ? bytes : undefined;
    const said = printer.takeSaid();
    const piece = {
      memory,
      bytes: isKnown ? undefined : bytes,
      length,
      ...printer.notes.take(),
      said,
      isDoubtful,
    };
    this.#waiting++;
    this.send({ kind: 'text', piece });
    this.#takeMemory();
    // lets messages arrive
    await setImmediate();
    while (this.#waiting >= mostWaiting)
      await new Promise<void>((resolve) => {
        this.#onUsed = resolve;
      });
  }

  #takeMemory(): void {
    this.#current = this.#unused.pop() ?? this.#memories.push(undefined) - 1;
    this.#out.bytes = this.#memories[this.#current] ?? new Uint8Array(new SharedArrayBuffer(pieceBytes));
    this.#out.length = 0;
  }
}
