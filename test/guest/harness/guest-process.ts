import { constants } from 'node:os';
import { frameType } from './frames.ts';

/** A command that takes longer counts as hung. */
const patienceMs = 120_000;

export interface Ended {
  /** Exit code; 128 + signal when a signal ended the command, as in a shell. */
  readonly code: number;
  readonly signal: number;
}

/** Output of a command so far. */
export interface Said {
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that runs in the guest, or has ended. */
export class GuestProcess {
  readonly command: string;
  readonly pid: number;
  #ended: Ended | undefined;
  #output: { stdout: Buffer[]; stderr: Buffer[] };
  #wakeups = new Set<() => void>();
  readonly #send: (type: number, data: Uint8Array) => void;

  constructor(
    command: string,
    pid: number,
    send: (type: number, data: Uint8Array) => void,
    said: Said = { stdout: '', stderr: '' },
  ) {
    this.command = command;
    this.pid = pid;
    this.#send = send;
    this.#output = { stdout: [Buffer.from(said.stdout)], stderr: [Buffer.from(said.stderr)] };
  }

  /** Its output so far. */
  get stdout(): string {
    return this.stdoutBytes().toString();
  }

  get stderr(): string {
    return join(this.#output.stderr).toString();
  }

  stdoutBytes(): Buffer {
    return join(this.#output.stdout);
  }

  /** How the command ended; `undefined` while it runs. */
  get ended(): Ended | undefined {
    return this.#ended;
  }

  /** Signals the process, or its whole group: every process that it started and that stayed in the group. */
  kill(signal: NodeJS.Signals = 'SIGTERM', whom: 'process' | 'group' = 'process'): void {
    const words = Buffer.alloc(8);
    words.writeUInt32LE(constants.signals[signal], 0);
    words.writeUInt32LE(whom === 'group' ? 1 : 0, 4);
    this.#send(frameType.kill, words);
  }

  /** Writes to its stdin. */
  write(data: string | Uint8Array): void {
    const bytes = Buffer.from(data);
    const pieceBytes = 1 << 18;
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      this.#send(frameType.stdin, bytes.subarray(at, at + pieceBytes));
    }
  }

  /** End of file on its stdin. */
  endInput(): void {
    this.#send(frameType.stdin, Buffer.alloc(0));
  }

  /** Waits until the command has ended; all output of its own process has arrived then. */
  async wait(timeoutMs = patienceMs): Promise<Ended> {
    return this.#until(() => this.#ended, timeoutMs, 'end');
  }

  /** Waits until its stdout and stderr together match, and returns the match. */
  async waitFor(pattern: RegExp, timeoutMs = patienceMs): Promise<RegExpExecArray> {
    const look = () => pattern.exec(`${this.stdout}\n${this.stderr}`);
    const what = `say ${String(pattern)}`;
    const found = await this.#until(() => look() ?? this.#ended, timeoutMs, what);
    if ('code' in found) throw new Error(this.#say(`ended and did not ${what}`));
    return found;
  }

  /** For the shell only: handles a frame about this process. */
  receive(type: number, data: Buffer): void {
    if (type === frameType.stdout) this.#output.stdout.push(data);
    if (type === frameType.stderr) this.#output.stderr.push(data);
    if (type === frameType.exit) {
      const status = data.readUInt32LE(0);
      const signal = status & 0x7f;
      this.#ended = { code: signal === 0 ? (status >> 8) & 0xff : 128 + signal, signal };
    }
    for (const wake of this.#wakeups) wake();
  }

  /** For the shell only: the guest has ended. */
  lose(): void {
    this.#ended ??= { code: -1, signal: 0 };
    for (const wake of this.#wakeups) wake();
  }

  #until<T>(get: () => T | undefined, timeoutMs: number, what: string): Promise<T> {
    return new Promise((resolve, reject) => {
      const check = () => {
        const got = get();
        if (got === undefined) return;
        clearTimeout(timer);
        this.#wakeups.delete(check);
        resolve(got);
      };
      const timer = setTimeout(() => {
        this.#wakeups.delete(check);
        reject(new Error(this.#say(`did not ${what} within ${timeoutMs} ms`)));
      }, timeoutMs);
      this.#wakeups.add(check);
      check();
    });
  }

  #say(what: string): string {
    return `in the guest: ${this.command}: ${what}\n${this.stdout.slice(-2000)}${this.stderr.slice(-2000)}`;
  }
}

/** Joins buffers into one, in place, so that repeated calls stay cheap. */
function join(parts: Buffer[]): Buffer {
  if (parts.length > 1) parts.splice(0, parts.length, Buffer.concat(parts));
  return parts[0] ?? Buffer.alloc(0);
}
