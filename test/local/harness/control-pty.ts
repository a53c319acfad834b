import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, constants, existsSync, openSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { checked, declare } from '../../../src/native/libc.ts';
import type { AgentState, Answer, AnswerOf, ErrorAnswer, OrderName } from '../../../src/protocol/control.ts';
import { until } from './until.ts';

const libcIoctl = declare('int ioctl(int fd, unsigned long request, intptr_t argument)');
const TIOCEXCL = 0x540c;
const TIOCNXCL = 0x540d;

/**
 * socat's block size: as much as fits when poll reports writable. socat must continue to pass orders when nobody
 * takes the answers.
 */
const socatBytes = '4096';
const answerMs = 60_000;
const settledMs = 300;

/** A pseudo-terminal in place of the control port: orders in, answers out, as from a host. */
export class ControlPty {
  readonly #socat: ChildProcess;
  readonly #keepOpen: number;
  #received = Buffer.alloc(0);
  #id = 0;

  private constructor(socat: ChildProcess, keepOpen: number) {
    this.#socat = socat;
    this.#keepOpen = keepOpen;
    socat.stdout?.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
    });
  }

  static async open(link: string): Promise<ControlPty> {
    const socat = spawn('socat', ['-b', socatBytes, `pty,raw,echo=0,link=${link}`, '-'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    await until('the pty', () => existsSync(link), answerMs);
    // otherwise socat would end when the first agent closes it
    return new ControlPty(socat, openSync(link, constants.O_RDWR | constants.O_NOCTTY));
  }

  /** Sends text unchanged. */
  send(text: string): void {
    this.#socat.stdin?.write(text);
  }

  /** Sends text in pieces that the agent reads one by one. */
  async sendInPieces(text: string, pieces: number): Promise<void> {
    const length = Math.ceil(text.length / pieces);
    for (let at = 0; at < text.length; at += length) {
      this.send(text.slice(at, at + length));
      await sleep(30);
    }
  }

  /** Waits until the agent's state has been this one for a while: bare orders have no answer. */
  async settlesAt(state: AgentState): Promise<void> {
    let sinceMs = performance.now();
    for (const deadlineMs = sinceMs + answerMs; performance.now() - sinceMs < settledMs; await sleep(20)) {
      const now = (await this.order('status')).state;
      if (now !== state) sinceMs = performance.now();
      if (performance.now() > deadlineMs) throw new Error(`the agent's state is ${now}, not ${state}`);
    }
  }

  /** Sends an order and waits for its answer, whatever the answer is. Answers to other orders are discarded. */
  async ask(order: object): Promise<Answer> {
    const id = `h${this.#id++}`;
    this.send(`${JSON.stringify({ id, ...order })}\n`);
    return this.answer(id);
  }

  /** Like `ask`, for an order that must be executed. Throws when it is refused. */
  async order<Name extends OrderName>(order: Name, fields: object = {}): Promise<AnswerOf[Name]> {
    const answer = await this.ask({ order, ...fields });
    if (!answer.ok) throw new Error(`${order}: ${answer.error.code}: ${answer.error.message}`);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the protocol's promise; its fields are what tests look at
    return answer as AnswerOf[Name];
  }

  /** Like `ask`, for an order that must be refused. Throws when it is executed. */
  async refusal(order: object): Promise<ErrorAnswer['error']> {
    const answer = await this.ask(order);
    if (answer.ok) throw new Error(`not refused: ${JSON.stringify(order)}`);
    return answer.error;
  }

  /** The answer with this id; earlier answers are discarded. */
  async answer(id: string | number | null): Promise<Answer> {
    for (;;) {
      const answer = await this.nextAnswer();
      if (answer.id === id) return answer;
    }
  }

  async nextAnswer(): Promise<Answer> {
    const line = await until('an answer', () => this.#takeLine(), answerMs);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the protocol's promise
    return JSON.parse(line) as Answer;
  }

  /** The payload after an answer's line. */
  async payload(bytes: number): Promise<Buffer> {
    await until(
      () => `${bytes} bytes of payload; there are ${this.#received.length}`,
      () => this.#received.length >= bytes,
      answerMs,
    );
    const payload = this.#received.subarray(0, bytes);
    this.#received = this.#received.subarray(bytes);
    return payload;
  }

  /** Stops reading answers. */
  pause(): void {
    this.#socat.stdout?.pause();
  }

  resume(): void {
    this.#socat.stdout?.resume();
  }

  /** Number of bytes that were not read yet. */
  get untakenBytes(): number {
    return this.#received.length;
  }

  /** Sets whether another open of it is refused with EBUSY, as for a virtio port (except with CAP_SYS_ADMIN). */
  setExclusive(exclusive: boolean): void {
    checked('ioctl(TIOCEXCL)', libcIoctl(this.#keepOpen, exclusive ? TIOCEXCL : TIOCNXCL, 0));
  }

  close(): void {
    this.#socat.kill();
    closeSync(this.#keepOpen);
  }

  #takeLine(): string | undefined {
    const end = this.#received.indexOf('\n');
    if (end < 0) return undefined;
    const line = this.#received.toString('utf8', 0, end);
    this.#received = this.#received.subarray(end + 1);
    return line;
  }
}
