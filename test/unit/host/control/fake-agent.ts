import { constants, openSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { GuestDir } from '../../../../src/host/guest-dir/guest-dir.ts';
import { makeFifo } from '../../../../src/native/io/fifo.ts';
import { scratchDir } from '../guest-dir/scratch.ts';

export interface Heard {
  readonly id: string;
  readonly order: string;
  readonly trace?: unknown;
}

/** The guest's end of the control port's FIFOs, which can send what no correct agent would send. */
export class FakeAgent {
  readonly guest: GuestDir;
  /** Every byte that the host sent. */
  received = '';
  /** Called with each JSON order. */
  obey: (order: Heard) => void = () => {};
  readonly #outFd: number;
  readonly #in: Socket;
  #handled = 0;

  /** Opens both FIFOs in both directions, like QEMU. */
  constructor(context: TestContext) {
    const dir = scratchDir(context);
    for (const end of ['in', 'out']) makeFifo(join(dir, `agent-ctl-path.${end}`), 0o600);
    const { O_RDWR, O_NONBLOCK } = constants;
    this.#in = new Socket({
      fd: openSync(join(dir, 'agent-ctl-path.in'), O_RDWR | O_NONBLOCK),
      writable: false,
    });
    this.#outFd = openSync(join(dir, 'agent-ctl-path.out'), O_RDWR | O_NONBLOCK);
    this.#in.on('data', (bytes) => this.#hear(bytes));
    this.guest = GuestDir.open({ dir, guest: undefined });
    context.after(() => {
      this.quit();
      this.guest.close();
    });
  }

  /** Sends at most the capacity of a FIFO. */
  send(...parts: (string | Uint8Array | object)[]): void {
    for (const part of parts) {
      const bytes =
        typeof part === 'string' || part instanceof Uint8Array
          ? Buffer.from(part)
          : Buffer.from(`${JSON.stringify(part)}\n`);
      writeSync(this.#outFd, bytes);
    }
  }

  /** Closes the FIFOs, like the end of QEMU. */
  quit(): void {
    if (this.#in.destroyed) return;
    this.#in.destroy();
    new Socket({ fd: this.#outFd }).destroy();
  }

  #hear(bytes: Buffer): void {
    this.received += bytes.toString('latin1');
    const lines = this.received.split('\n').slice(0, -1);
    for (const line of lines.slice(this.#handled))
      if (line.trim().startsWith('{')) this.obey(JSON.parse(line));
    this.#handled = lines.length;
  }
}
