import { exitCode, Failure } from '../../base/failure.ts';
import type {
  AnswerOf,
  ErrorAnswer,
  MetadataDigests,
  MetadataPart,
  OrderName,
  StartAnswer,
  StatusAnswer,
  StopAnswer,
  TraceRequest,
} from '../../protocol/control.ts';
import { maxLineBytes } from '../../protocol/line-reader.ts';
import type { TracedMachine } from '../traced-machine.ts';
import { AnswerReader } from './answer-reader.ts';
import { BadAnswer, parseAnswer } from './answer-parser.ts';
import type { Channel } from './channel.ts';
import { openChannel } from './channel.ts';
import { failureOfNonsense, failureOfRefusal, OrderRefused, silence } from './failures.ts';
import { answerIn, lineOf, newId } from './order-line.ts';
import { hostClocks, type PingRound } from './ping.ts';

export interface ControlOptions {
  /** Maximum time without a sign of life from the guest. */
  readonly timeoutMs: number;
}

/** The longest wait for any order, even if the guest answers pings. */
const patienceMs = 10 * 60_000;
/** Interval at which an agent that is busy is asked again. */
const busyMs = 200;
/** Maximum number of orders without an answer; exceeding it is a bug in this program. */
const maxPending = 64;

interface Pending {
  readonly order: OrderName;
  /** @returns the number of payload bytes that follow the answer. @throws BadAnswer */
  readonly take: (value: unknown) => number;
  readonly reject: (why: Failure) => void;
}

interface PackedMetadata {
  readonly packed: Buffer;
  readonly same: readonly string[];
}

/** Bytes that follow an answer. */
interface Payload {
  readonly bytes: Buffer;
  filledBytes: number;
  readonly done: (payload: Buffer) => void;
}

/**
 * Sends orders on a guest's control port and reads the answers. Only one process at a time uses a port. The guest is
 * not trusted: an unexpected answer is ignored, an invalid answer is a Failure, and every buffer has a limit.
 */
export class ControlClient {
  readonly #guest: TracedMachine;
  readonly #timeoutMs: number;
  readonly #unlock: () => void;
  readonly #pending = new Map<string, Pending>();
  readonly #reader = new AnswerReader({
    line: (line) => this.#hearLine(line),
    payload: (piece) => this.#hearPayload(piece),
  });
  #channel: Channel | undefined;
  #payload: Payload | undefined;
  #heardMs = 0;
  /** Whether the agent has answered in JSON on this connection. */
  #answers = false;
  #gone: Failure | undefined;

  private constructor(guest: TracedMachine, options: ControlOptions, unlock: () => void) {
    this.#guest = guest;
    this.#timeoutMs = options.timeoutMs;
    this.#unlock = unlock;
  }

  /**
   * Locks and opens the control port. Sends no order and does not wait for the guest. The caller closes it, then the
   * guest's directory.
   * @throws Failure: missing when no QEMU is there, failed when another process gives orders
   */
  static async open(guest: TracedMachine, options: ControlOptions): Promise<ControlClient> {
    const unlock = guest.lock();
    const client = new ControlClient(guest, options, unlock);
    try {
      client.#channel = await openChannel(guest, {
        heard: (chunk) => client.#reader.push(chunk),
        gone: (why) => client.#end(why),
      });
    } catch (cause) {
      unlock();
      throw cause;
    }
    // Ends a partial line that an earlier host left when it died. Two bytes: see `lineOf`.
    void client.#send(Buffer.from(' \n'));
    return client;
  }

  /** Pings once: reads the guest's clocks between two readings of the host's clocks. */
  async ping(): Promise<PingRound> {
    const sent = hostClocks();
    const { clocks } = await this.#ask('ping');
    const received = hostClocks();
    return {
      sent,
      guest: {
        boottime: BigInt(clocks.boottime),
        monotonicRaw: BigInt(clocks.monotonicRaw),
        realtime: BigInt(clocks.realtime),
        ...(clocks.monotonic !== undefined && { monotonic: BigInt(clocks.monotonic) }),
        ...(clocks.x86Tsc !== undefined && { x86Tsc: BigInt(clocks.x86Tsc) }),
      },
      received,
    };
  }

  /** True once the port's other end is closed, so that no order can arrive any more. */
  get isGone(): boolean {
    return this.#gone !== undefined;
  }

  /** Progress of the metadata being received; undefined when none is being received. */
  get arriving(): { readonly doneBytes: number; readonly totalBytes: number } | undefined {
    const payload = this.#payload;
    return payload && { doneBytes: payload.filledBytes, totalBytes: payload.bytes.length };
  }

  status(): Promise<StatusAnswer> {
    return this.#ask('status');
  }

  /** Resolves when every worker that can run is running. */
  async start(trace?: TraceRequest): Promise<StartAnswer> {
    await this.#mustAnswer();
    return this.#ask('start', trace === undefined ? {} : { trace });
  }

  /** Resolves when everything in the rings was sent, so the trace ports must be read meanwhile. */
  async stop(): Promise<StopAnswer> {
    await this.#mustAnswer();
    return this.#ask('stop');
  }

  /** Fetches the metadata, a gzipped tar of tracefs files of at most `maxMetadataBytes`. */
  async metadata(part: MetadataPart = 'all'): Promise<Buffer> {
    const { packed } = await this.#metadata(part === 'all' ? {} : { part });
    return packed;
  }

  /**
   * Like `metadata('all')`, but without the groups of `have` that are unchanged; `same` lists them.
   * @throws OrderRefused (unknown-field) when the agent is too old for this
   */
  async changedMetadata(have: MetadataDigests): Promise<{ packed: Buffer; same: readonly string[] }> {
    const { packed, same } = await this.#metadata({ have });
    return { packed, same: same.filter((group) => Object.hasOwn(have, group)) };
  }

  /** While the agent still packs metadata for a host that was killed, it refuses: asks again, until the timeout. */
  async #metadata(fields: object): Promise<PackedMetadata> {
    const untilMs = performance.now() + this.#timeoutMs;
    for (;;) {
      try {
        return await this.#metadataNow(fields);
      } catch (cause) {
        const isBusy = cause instanceof OrderRefused && cause.code === 'busy';
        if (!isBusy || performance.now() >= untilMs) throw cause;
      }
      await later(busyMs);
    }
  }

  #metadataNow(fields: object): Promise<PackedMetadata> {
    return this.#order<'metadata', PackedMetadata>('metadata', fields, ({ bytes, same = [] }, done) => {
      const whole = (packed: Buffer): void => done({ packed, same });
      if (bytes === 0) whole(Buffer.alloc(0));
      else this.#payload = { bytes: Buffer.allocUnsafe(bytes), filledBytes: 0, done: whole };
      return bytes;
    });
  }

  /**
   * Sends the bare order of the original C agent. That agent does not answer, so it is unknown whether it obeys.
   * @throws Failure (missing) when QEMU does not accept it in time
   */
  async sendBare(order: 'start' | 'stop'): Promise<void> {
    await this.#within(this.#send(Buffer.from(order === 'start' ? '1\n' : '0\n')), () =>
      silence(this.#guest, this.#timeoutMs),
    );
  }

  /** Releases the port; pending orders are rejected. */
  close(): void {
    this.#channel?.close();
    this.#end(new Failure(exitCode.failed, `orders to ${this.#guest.label} were cancelled`));
    this.#unlock();
  }

  /**
   * An agent that starts later would carry out orders left unread in the port. So a start or stop is only sent once the
   * agent has answered; a leftover ping does no harm.
   */
  async #mustAnswer(): Promise<void> {
    if (this.#answers) return;
    try {
      await this.#ask('ping');
    } catch (cause) {
      // a refusal is an answer too
      if (!this.#answers) throw cause;
    }
  }

  #ask<Name extends OrderName>(order: Name, fields: object = {}): Promise<AnswerOf[Name]> {
    return this.#order<Name, AnswerOf[Name]>(order, fields, (answer, done) => {
      done(answer);
      return 0;
    });
  }

  /**
   * @param take receives the answer, calls `done` at once or when it has the payload, and returns the payload's
   * size
   */
  async #order<Name extends OrderName, Result>(
    order: Name,
    fields: object,
    take: (answer: AnswerOf[Name], done: (result: Result) => void) => number,
  ): Promise<Result> {
    if (this.#gone !== undefined) throw this.#gone;
    if (this.#pending.size >= maxPending)
      throw new Error(`${maxPending} orders are already waiting for answers`);
    const id = newId();
    const line = lineOf({ id, order, ...fields });
    if (line.length > maxLineBytes)
      throw new Failure(
        exitCode.usage,
        `the order ${order} is longer than ${maxLineBytes} bytes`,
        'ask for less at once',
      );
    const answered = new Promise<Result>((resolve, reject) => {
      this.#pending.set(id, {
        order,
        take: (value) => {
          const answer = parseAnswer(order, id, value);
          if (isRefusal(answer)) throw failureOfRefusal(this.#guest, order, answer.error);
          return take(answer, resolve);
        },
        reject,
      });
    });
    // avoids an unhandled rejection when the wait has already ended
    answered.catch(() => {});
    try {
      this.#heardMs = performance.now();
      void this.#send(line);
      return await this.#alive(answered, order);
    } finally {
      this.#pending.delete(id);
    }
  }

  /**
   * Waits as long as the guest shows signs of life: a stop may take longer than the timeout, so this pings a busy
   * agent to check that it is still alive.
   */
  async #alive<Result>(answered: Promise<Result>, order: OrderName): Promise<Result> {
    const fromMs = performance.now();
    const done = answered.then((result) => ({ result }));
    done.catch(() => {});
    for (;;) {
      const wakeMs = performance.now() + this.#timeoutMs / 2;
      const settled = await Promise.race([done, later(this.#timeoutMs / 2)]);
      if (settled !== undefined) return settled.result;
      const nowMs = performance.now();
      // This process was not running and could not receive: do not count that time against the guest.
      this.#heardMs += nowMs - wakeMs;
      if (nowMs - this.#heardMs >= this.#timeoutMs) throw await silence(this.#guest, this.#timeoutMs);
      if (nowMs - fromMs >= patienceMs)
        throw new Failure(
          exitCode.failed,
          `${this.#guest.label} has not carried out the order ${order} in ${patienceMs / 60_000} minutes`,
          "see the agent's log",
        );
      if (order !== 'ping' && this.#payload === undefined) this.#askForLife();
    }
  }

  #askForLife(): void {
    if (this.#pending.size >= maxPending) return;
    const id = newId();
    this.#pending.set(id, { order: 'ping', take: () => 0, reject: () => {} });
    setTimeout(() => this.#pending.delete(id), this.#timeoutMs).unref();
    void this.#send(lineOf({ id, order: 'ping' }));
  }

  async #within(done: Promise<void>, late: () => Promise<Failure>): Promise<void> {
    const ended = await Promise.race([done.then(() => true), later(this.#timeoutMs)]);
    if (this.#gone !== undefined) throw this.#gone;
    if (ended === undefined) throw await late();
  }

  #send(bytes: Buffer): Promise<void> {
    return this.#channel?.send(bytes) ?? Promise.resolve();
  }

  #hearLine(line: Buffer): number {
    for (const [id, pending] of this.#pending) {
      if (!line.includes(id)) continue;
      const value = answerIn(line, id);
      if (value === undefined) continue;
      this.#heardMs = performance.now();
      this.#answers = true;
      // only once: any further answer with this id is ignored
      this.#pending.set(id, { ...pending, take: () => 0 });
      return this.#take(pending, value);
    }
    // an answer to an earlier host, or noise: ignored
    return 0;
  }

  #take({ order, take, reject }: Pending, value: unknown): number {
    try {
      return take(value);
    } catch (cause) {
      if (cause instanceof BadAnswer) reject(failureOfNonsense(this.#guest, order, cause));
      else if (cause instanceof Failure) reject(cause);
      else throw cause;
      return 0;
    }
  }

  #hearPayload(piece: Buffer): void {
    const payload = this.#payload;
    if (payload === undefined) return;
    this.#heardMs = performance.now();
    // not a list of chunks: a guest that sends single bytes would create millions
    payload.filledBytes += piece.copy(payload.bytes, payload.filledBytes);
    if (payload.filledBytes < payload.bytes.length) return;
    this.#payload = undefined;
    payload.done(payload.bytes);
  }

  #end(why: Failure): void {
    this.#gone ??= why;
    for (const { reject } of this.#pending.values()) reject(this.#gone);
    this.#pending.clear();
  }
}

function isRefusal(answer: AnswerOf[OrderName] | ErrorAnswer): answer is ErrorAnswer {
  return !answer.ok;
}

async function later(ms: number): Promise<undefined> {
  await new Promise((resolve) => setTimeout(resolve, ms).unref());
  return undefined;
}
