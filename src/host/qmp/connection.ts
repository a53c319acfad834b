import type { Socket } from 'node:net';
import { connect } from 'node:net';
import { codeOf } from '../../base/error-code.ts';
import { exitCode, Failure } from '../../base/failure.ts';
import { isObject } from '../../base/json-type.ts';
import { printable } from '../../base/quoted.ts';

/** QEMU refused a command; `class` is QEMU's error class. */
export class QmpRefusal extends Error {
  constructor(command: string, description: string) {
    super(`QEMU refuses ${command}: ${printable(description)}`);
    this.name = 'QmpRefusal';
  }
}

const answerTimeoutMs = 10_000;
/** Size limit of one message; a device list of a large guest is about 100 KB. */
const maxMessageBytes = 16 * 1024 * 1024;

type Message = Readonly<Record<string, unknown>>;
type Waiting = {
  readonly wants: (message: Message) => boolean;
  readonly take: (message: Message | Failure) => void;
};

/** What a connection tells while nobody waits for it. */
export interface QmpListener {
  /** @param realtimeUs when it happened by QEMU's CLOCK_REALTIME, rounded down; undefined if QEMU does not say */
  readonly event: (name: string, realtimeUs: bigint | undefined) => void;
  /** Called once, when the connection has ended, however that happened. */
  readonly ended: () => void;
}

/** A connection to QEMU's machine protocol (QMP) over a UNIX socket. */
export class QmpConnection {
  readonly #path: string;
  readonly #socket: Socket;
  readonly #timeoutMs: number;
  readonly #waiting = new Set<Waiting>();
  readonly #listener: QmpListener | undefined;
  #lastId = 0;
  #pending = '';
  #ended: Failure | undefined;

  private constructor(path: string, socket: Socket, timeoutMs: number, listener: QmpListener | undefined) {
    this.#path = path;
    this.#listener = listener;
    this.#timeoutMs = timeoutMs;
    this.#socket = socket;
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => this.#hear(text));
    socket.on('error', () => this.#end());
    socket.on('close', () => this.#end());
  }

  /** Connects and reads the greeting. The caller closes it. @throws Failure (missing, not permitted) */
  static async open(
    path: string,
    timeoutMs = answerTimeoutMs,
    listener?: QmpListener,
  ): Promise<QmpConnection> {
    const socket = connect(path);
    try {
      await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    } catch (cause) {
      const shown = printable(path);
      if (codeOf(cause) === 'EACCES')
        throw new Failure(
          exitCode.notPermitted,
          `cannot open ${shown}: permission denied`,
          "run as QEMU's user",
        );
      const remedy = `start QEMU with -qmp unix:${shown},server=on,wait=off, or give its actual socket`;
      throw new Failure(exitCode.missing, `no QEMU listens on ${shown} (${codeOf(cause)})`, remedy, {
        cause,
      });
    }
    const qmp = new QmpConnection(path, socket, timeoutMs, listener);
    try {
      await qmp.#next((message) => 'QMP' in message, 'its greeting');
      await qmp.execute('qmp_capabilities');
    } catch (cause) {
      qmp.close();
      throw cause;
    }
    return qmp;
  }

  /** Runs one command. @throws QmpRefusal with QEMU's own message; Failure (missing) when it does not answer */
  async execute(command: string, args: object = {}): Promise<unknown> {
    this.#lastId += 1;
    const id = this.#lastId;
    const answered = this.#next((message) => message['id'] === id, `its answer to ${command}`);
    this.#socket.write(`${JSON.stringify({ execute: command, arguments: args, id })}\n`);
    const answer = await answered;
    const { error } = answer;
    if (!isObject(error)) return answer['return'];
    throw new QmpRefusal(command, String(error['desc']));
  }

  /** Waits for a future event. @throws Failure (missing) when it does not arrive in time */
  event(name: string, has: (data: Message) => boolean): Promise<unknown> {
    return this.#next(
      ({ event, data }) => event === name && isObject(data) && has(data),
      `the event ${name}`,
    );
  }

  close(): void {
    this.#socket.destroy();
  }

  #next(wants: (message: Message) => boolean, what: string): Promise<Message> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        wants,
        take: (message) => {
          clearTimeout(timer);
          this.#waiting.delete(waiting);
          if (message instanceof Failure) reject(message);
          else resolve(message);
        },
      };
      const late = `QEMU on ${printable(this.#path)} did not send ${what} within ${this.#timeoutMs / 1000} s`;
      const remedy =
        'check whether another program is connected to that socket: QEMU serves one client at a time';
      const timer = setTimeout(
        () => waiting.take(new Failure(exitCode.missing, late, remedy)),
        this.#timeoutMs,
      );
      this.#waiting.add(waiting);
    });
  }

  #hear(text: string): void {
    const lines = (this.#pending + text).split('\n');
    this.#pending = lines.pop() ?? '';
    if (this.#pending.length > maxMessageBytes) {
      this.close();
      return;
    }
    for (const line of lines) {
      const message = parsed(line);
      if (message === undefined) continue;
      for (const waiting of this.#waiting) if (waiting.wants(message)) waiting.take(message);
      const { event } = message;
      if (typeof event === 'string') this.#listener?.event(event, realtimeUs(message));
    }
  }

  #end(): void {
    const isFirst = this.#ended === undefined;
    this.#ended ??= new Failure(
      exitCode.missing,
      `QEMU closed ${printable(this.#path)}`,
      'check why it exited',
    );
    for (const waiting of this.#waiting) waiting.take(this.#ended);
    if (isFirst) this.#listener?.ended();
  }
}

function realtimeUs({ timestamp }: Message): bigint | undefined {
  if (!isObject(timestamp)) return undefined;
  const { seconds, microseconds } = timestamp;
  // QEMU says −1 if it cannot read its clock
  if (!isCount(seconds) || !isCount(microseconds)) return undefined;
  return BigInt(seconds) * 1_000_000n + BigInt(microseconds);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function parsed(line: string): Message | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
