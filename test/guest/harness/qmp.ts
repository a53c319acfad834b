import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

export interface QmpEvent {
  readonly event: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

interface QmpAnswer {
  readonly id?: number;
  readonly return?: unknown;
  readonly error?: { readonly class: string; readonly desc: string };
}

/** QEMU's machine protocol over its UNIX socket. */
export class Qmp {
  /** Every event so far. */
  readonly events: QmpEvent[] = [];
  readonly #socket: Socket;
  readonly #waiting = new Map<number, (answer: QmpAnswer) => void>();
  #lastId = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('error', () => {});
    socket.on('close', () => {
      for (const answer of this.#waiting.values()) {
        answer({ error: { class: 'Gone', desc: 'QEMU closed the connection' } });
      }
      this.#waiting.clear();
    });
    // readline re-emits the socket's errors; data that a killed QEMU has not read causes one
    createInterface({ input: socket })
      .on('line', (line) => this.#receive(line))
      .on('error', () => {});
  }

  /** Reads QEMU's greeting. @param socket just connected */
  static async on(socket: Socket): Promise<Qmp> {
    const qmp = new Qmp(socket);
    await qmp.execute('qmp_capabilities');
    return qmp;
  }

  /** Runs one command; rejects with QEMU's own message when it refuses. */
  async execute(command: string, args: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    const id = ++this.#lastId;
    const answer = await new Promise<QmpAnswer>((resolve) => {
      this.#waiting.set(id, resolve);
      this.#socket.write(`${JSON.stringify({ execute: command, arguments: args, id })}\n`);
    });
    if (answer.error !== undefined) throw new Error(`QMP ${command}: ${answer.error.desc}`);
    return answer.return;
  }

  /** Waits for an event, which may already have arrived. */
  async event(matches: (event: QmpEvent) => boolean, timeoutMs = 120_000): Promise<QmpEvent> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const found = this.events.find(matches);
      if (found !== undefined) return found;
      if (Date.now() > deadline) throw new Error(`no such QMP event within ${timeoutMs} ms`);
      await sleep(10);
    }
  }

  close(): void {
    this.#socket.destroy();
  }

  #receive(line: string): void {
    const message: QmpAnswer | QmpEvent = JSON.parse(line);
    if ('event' in message) {
      this.events.push(message);
    } else if (message.id !== undefined) {
      this.#waiting.get(message.id)?.(message);
      this.#waiting.delete(message.id);
    }
  }
}
