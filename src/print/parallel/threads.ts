import { Worker } from 'node:worker_threads';
import type { FromThread, PartOrder, TextPiece, ThreadSetup, ToThread } from './messages.ts';
import type { FunctionNumbers } from './settler.ts';
import { threadCode } from './thread-code.ts';

/** A part that is being printed: the messages of its thread, in order. */
export class PrintedPart {
  readonly thread: PrintingThread;
  readonly #said: FromThread[] = [];
  #onSaid = (): void => {};

  constructor(thread: PrintingThread) {
    this.thread = thread;
  }

  say(said: FromThread): void {
    this.#said.push(said);
    this.#onSaid();
  }

  /** The next message; waits for it. */
  async next(): Promise<FromThread> {
    while (this.#said.length === 0)
      await new Promise<void>((resolve) => {
        this.#onSaid = resolve;
      });
    return this.#said.shift()!;
  }
}

/** The main thread's end of the channel to a printing thread. */
export interface ThreadPort {
  postMessage(message: ToThread, moved: []): void;
  on(event: 'message', listener: (message: FromThread) => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
  terminate(): Promise<unknown>;
}

/** Size of a thread's young generation; V8's default is several times as large, but no faster. */
const youngMb = 8;

/** Starts a thread. */
export function startThread(setup: ThreadSetup): ThreadPort {
  const { script, options } = threadCode();
  const resourceLimits = { maxYoungGenerationSizeMb: youngMb };
  return new Worker(script, { ...options, workerData: setup, resourceLimits });
}

/** A thread that prints one part after the other. */
export class PrintingThread {
  readonly functions: FunctionNumbers = [];
  readonly #worker: ThreadPort;
  readonly #memories: Uint8Array[] = [];
  #part: PrintedPart | undefined;
  #onEnd = (): void => {};

  constructor(worker: ThreadPort) {
    this.#worker = worker;
    this.#worker.on('message', (message: FromThread) => {
      this.#part?.say(message);
      if (message.kind === 'end') this.#onEnd();
    });
    // the main thread prints in its place
    this.#worker.on('error', () => this.#part?.say({ kind: 'failed' }));
  }

  /** @param onEnd called when the thread can print the next part */
  print(order: PartOrder, onEnd: () => void): PrintedPart {
    this.#part = new PrintedPart(this);
    this.#onEnd = onEnd;
    this.#worker.postMessage({ kind: 'print', order }, []);
    return this.#part;
  }

  /** The memory of a piece. */
  bytesOf({ memory, bytes }: TextPiece): Uint8Array {
    if (bytes !== undefined) this.#memories[memory] = bytes;
    return this.#memories[memory]!;
  }

  /** Gives back the memory of a piece that was written. */
  giveBack({ memory }: TextPiece): void {
    this.#worker.postMessage({ kind: 'used', memory }, []);
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }
}
