import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { scratchDir } from '../guest-dir/scratch.ts';

/** A QEMU's QMP socket that serves one client at a time, as QEMU does: it accepts no other one meanwhile. */
export class FakeQemu {
  readonly path: string;
  running = true;
  /** Commands to which it does not answer yet. */
  holding = false;
  readonly #held: (() => void)[] = [];
  #server: Server | undefined;
  #client: Socket | undefined;

  private constructor(path: string) {
    this.path = path;
  }

  static async start(test: TestContext): Promise<FakeQemu> {
    const qemu = new FakeQemu(join(scratchDir(test), 'qmp'));
    await qemu.listen();
    test.after(() => qemu.end());
    return qemu;
  }

  get hasClient(): boolean {
    return this.#client !== undefined;
  }

  async listen(): Promise<void> {
    const server = createServer((socket) => this.#serve(socket));
    server.listen(this.path);
    await once(server, 'listening');
    this.#server = server;
  }

  stop(): void {
    this.running = false;
    this.say('STOP');
  }

  /** RESUME comes before the guest runs. */
  resume(): void {
    this.say('RESUME');
    this.running = true;
  }

  /** @param delayMs how long ago it happened */
  say(event: string, delayMs = 0): void {
    const us = Math.floor((performance.timeOrigin + performance.now() - delayMs) * 1000);
    const timestamp = { seconds: Math.floor(us / 1e6), microseconds: us % 1_000_000 };
    this.#client?.write(`${JSON.stringify({ timestamp, event })}\r\n`);
  }

  release(): void {
    this.holding = false;
    for (const answer of this.#held.splice(0)) answer();
  }

  hangUp(): void {
    this.#client?.destroy();
  }

  async end(): Promise<void> {
    this.hangUp();
    this.#server?.close();
    rmSync(this.path, { force: true });
  }

  #serve(socket: Socket): void {
    this.#client = socket;
    socket.on('error', () => {});
    socket.on('close', () => {
      if (this.#client === socket) this.#client = undefined;
    });
    socket.write('{"QMP":{}}\r\n');
    socket.on('data', (text) => {
      for (const line of String(text).trim().split('\n')) {
        const { execute, id } = JSON.parse(line);
        const answer = (): void => {
          const told = execute === 'query-status' ? { running: this.running, status: 'any' } : {};
          socket.write(`${JSON.stringify({ return: told, id })}\r\n`);
        };
        if (this.holding) this.#held.push(answer);
        else answer();
      }
    });
  }
}
