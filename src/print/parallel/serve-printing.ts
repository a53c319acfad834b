import { setImmediate } from 'node:timers/promises';
import type { MessagePort } from 'node:worker_threads';
import { TextBuffer } from '../text/text-buffer.ts';
import type { FromThread, PartOrder, ThreadSetup, ToThread } from './messages.ts';
import { PartPrinter } from './part-printer.ts';

const pieceBytes = 256 << 10;
const flushBytes = 240 << 10;
/** How much text may wait to be written: a part's text may have any length. */
const mostWaitingBytes = 6 << 20;

/** Prints parts as messages tell it, and sends their text. */
export function servePrinting(port: MessagePort, setup: ThreadSetup): void {
  const opened = PartPrinter.open(setup);
  // the main thread meets the same fault, and reports it
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
    else outlet.takeBack(message.bytes);
  });
}

/** Shared: once a thread has moved memory to another one, V8 runs all code on its buffers more slowly. */
function sharedPiece(): Uint8Array {
  return new Uint8Array(new SharedArrayBuffer(pieceBytes));
}

/** Sends text in pieces, and gets their buffers back when they are written. */
class Outlet {
  readonly #port: MessagePort;
  readonly #out = new TextBuffer(0);
  readonly #unused: Uint8Array[] = [];
  #waitingBytes = 0;
  #onUsed = (): void => {};

  constructor(port: MessagePort) {
    this.#port = port;
    this.#out.bytes = sharedPiece();
  }

  /** Throws Failure. */
  async print(printer: PartPrinter, order: PartOrder): Promise<void> {
    const sink = { out: this.#out, flushBytes, flush: () => this.#flush(printer) };
    const end = await printer.print(order, sink, (edges) => this.send({ kind: 'begin', edges }));
    this.send({ kind: 'end', ...end });
  }

  takeBack(bytes: Uint8Array): void {
    this.#waitingBytes -= bytes.length;
    if (bytes.length === pieceBytes) this.#unused.push(bytes);
    this.#onUsed();
  }

  send(message: FromThread): void {
    this.#port.postMessage(message);
  }

  async #flush(printer: PartPrinter): Promise<void> {
    const out = this.#out;
    const { bytes, length } = out;
    const { isDoubtful } = printer.notes;
    const piece = { bytes, length, ...printer.notes.take(), said: printer.takeSaid(), isDoubtful };
    this.#waitingBytes += bytes.length;
    this.send({ kind: 'text', piece });
    out.bytes = this.#unused.pop() ?? sharedPiece();
    out.length = 0;
    // lets messages in
    await setImmediate();
    while (this.#waitingBytes > mostWaitingBytes)
      await new Promise<void>((resolve) => {
        this.#onUsed = resolve;
      });
  }
}
