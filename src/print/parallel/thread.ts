/** A thread that prints parts of a report as it is told, for `threads.ts`. */
import { setImmediate } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { TextBuffer } from '../text/text-buffer.ts';
import type { FromThread, ThreadSetup, ToThread } from './messages.ts';
import { PartPrinter } from './part-printer.ts';

const pieceBytes = 256 << 10;
const flushBytes = 240 << 10;
/** How much text may wait to be written: a part's text may have any length. */
const mostWaitingBytes = 12 << 20;

const port = parentPort!;
const out = new TextBuffer(pieceBytes);
const unused: Uint8Array[] = [];
let waitingBytes = 0;
let onUsed = (): void => {};

function send(message: FromThread, moved: readonly ArrayBuffer[] = []): void {
  port.postMessage(message, moved);
}

async function flush(printer: PartPrinter): Promise<void> {
  const { bytes, length } = out;
  const { isDoubtful } = printer.notes;
  const piece = { bytes, length, ...printer.notes.take(), said: printer.said, isDoubtful };
  printer.said = [];
  waitingBytes += bytes.length;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- TextBuffer allocates no shared memory
  send({ kind: 'text', piece }, [bytes.buffer as ArrayBuffer, piece.notes.buffer as ArrayBuffer]);
  out.bytes = unused.pop() ?? new Uint8Array(pieceBytes);
  out.length = 0;
  // lets messages in
  await setImmediate();
  while (waitingBytes > mostWaitingBytes)
    await new Promise<void>((resolve) => {
      onUsed = resolve;
    });
}

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- given by threads.ts
const opened = PartPrinter.open(workerData as ThreadSetup);

async function print(order: Extract<ToThread, { kind: 'print' }>['order']): Promise<void> {
  try {
    const printer = await opened;
    const sink = { out, flushBytes, flush: () => flush(printer) };
    const end = await printer.print(order, sink, (edges) => send({ kind: 'begin', edges }));
    send({ kind: 'end', ...end });
  } catch {
    // the main thread meets the same fault, and reports it
    send({ kind: 'failed' });
  }
}

opened.catch(() => undefined);
port.on('message', (message: ToThread) => {
  if (message.kind === 'print') {
    void print(message.order);
    return;
  }
  const { bytes } = message;
  waitingBytes -= bytes.length;
  if (bytes.length === pieceBytes) unused.push(bytes);
  onUsed();
});
