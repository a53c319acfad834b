import type { Socket } from 'node:net';
import { encodeFrame, FrameReader, frameType } from './frames.ts';
import type { Frame } from './frames.ts';
import { GuestProcess } from './guest-process.ts';
import type { Said } from './guest-process.ts';

/** A command for the guest's `/bin/sh -c`, or a program and its arguments without a shell. */
export type Command = string | readonly string[];

interface Starting {
  readonly command: string;
  readonly resolve: (process: GuestProcess) => void;
  readonly reject: (error: Error) => void;
}

/** A command that continues in a saved state, for the shell of a guest restored from it. */
export interface RunningCommand extends Said {
  readonly id: number;
  readonly command: string;
  readonly pid: number;
}

/** Runs commands in the guest through a virtio-serial port of the harness's own. */
export class GuestShell {
  /**
   * Resolves when the guest reports that it is up, rejects when its QEMU ends before. A restored guest reports
   * nothing.
   */
  readonly ready: Promise<void>;
  readonly #socket: Socket;
  readonly #starting = new Map<number, Starting>();
  readonly #running = new Map<number, GuestProcess>();
  #lastId: number;
  #hello: () => void = () => {};

  /**
   * @param socket just connected
   * @param lastId the last number that another shell of this guest has given to a command
   */
  constructor(socket: Socket, lastId = 0) {
    this.#socket = socket;
    this.#lastId = lastId;
    this.ready = new Promise((resolve, reject) => {
      this.#hello = resolve;
      this.#socket.on('close', () => reject(new Error('the guest ended before it was up')));
    });
    this.ready.catch(() => {});
    const reader = new FrameReader();
    this.#socket.on('data', (bytes) => {
      for (const frame of reader.push(bytes)) this.#receive(frame);
    });
    this.#socket.on('error', () => {});
    this.#socket.on('close', () => this.#lose());
  }

  /** Starts a command and returns once its pid is known. */
  spawn(command: Command): Promise<GuestProcess> {
    const argv = typeof command === 'string' ? ['/bin/sh', '-c', command] : command;
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      if (this.#socket.destroyed) {
        reject(new Error(`the guest is gone: ${argv.join(' ')}`));
        return;
      }
      const shown = typeof command === 'string' ? command : command.join(' ');
      this.#starting.set(id, { command: shown, resolve, reject });
      this.#send(id, frameType.run, Buffer.from(argv.map((word) => `${word}\0`).join('')));
    });
  }

  /** All commands that are running. */
  running(): RunningCommand[] {
    return [...this.#running].flatMap(([id, { command, pid, stdout, stderr, ended }]) =>
      ended === undefined ? [{ id, command, pid, stdout, stderr }] : [],
    );
  }

  /** Output of the commands that are running or failed, including the agent's. */
  said(): { command: string; said: string }[] {
    return [...this.#running.values()].flatMap(({ command, stdout, stderr, ended }) =>
      ended === undefined || stderr !== '' ? [{ command, said: `${stdout}${stderr}` }] : [],
    );
  }

  /** Takes over a command of the guest that was saved. */
  adopt({ id, command, pid, stdout, stderr }: RunningCommand): GuestProcess {
    this.#lastId = Math.max(this.#lastId, id);
    return this.#follow(id, command, pid, { stdout, stderr });
  }

  close(): void {
    this.#socket.destroy();
  }

  #follow(id: number, command: string, pid: number, said?: Said): GuestProcess {
    const send = (type: number, data: Uint8Array) => this.#send(id, type, data);
    const process = new GuestProcess(command, pid, send, said);
    this.#running.set(id, process);
    return process;
  }

  #send(id: number, type: number, data: Uint8Array): void {
    this.#socket.write(encodeFrame(id, type, data));
  }

  #receive({ id, type, data }: Frame): void {
    if (type === frameType.hello) this.#hello();
    const starting = this.#starting.get(id);
    if (starting !== undefined) {
      this.#starting.delete(id);
      if (type !== frameType.started) {
        starting.reject(new Error(`${starting.command}: ${data.toString().trim()}`));
        return;
      }
      starting.resolve(this.#follow(id, starting.command, data.readUInt32LE(0)));
      return;
    }
    this.#running.get(id)?.receive(type, data);
  }

  #lose(): void {
    for (const { command, reject } of this.#starting.values())
      reject(new Error(`the guest is gone: ${command}`));
    for (const process of this.#running.values()) process.lose();
    this.#starting.clear();
    this.#running.clear();
  }
}
