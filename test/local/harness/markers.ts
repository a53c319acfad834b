import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Tracefs } from '../../../src/tracefs/tracefs.ts';
import type { FromWriter, ToWriter } from './marker-writer.ts';

const program = fileURLToPath(new URL('marker-writer.js', import.meta.url));

/** Writes markers `CPU:NUMBER xxx` on one CPU, numbered from 0 across all calls. */
export class MarkerWriter {
  readonly cpu: number;
  readonly #child: ChildProcess;
  #written = 0;

  constructor(tracefs: Tracefs, cpu: number) {
    this.cpu = cpu;
    this.#child = fork(program, [join(tracefs.dir, 'trace_marker'), String(cpu)], { serialization: 'json' });
  }

  /** Total number written, as of the last `write` or `halt`. */
  get written(): number {
    return this.#written;
  }

  /** Writes `count` markers of `bytes` each, as fast as possible. */
  async write(count: number, bytes = 100): Promise<void> {
    await this.#ask({ kind: 'write', count, bytes });
  }

  /** Writes until `halt`. Does not wait. */
  run(perSecond: number, bytes: number): void {
    this.#tell({ kind: 'run', perSecond, bytes });
  }

  async halt(): Promise<void> {
    await this.#ask({ kind: 'halt' });
  }

  close(): void {
    if (this.#child.connected) this.#child.disconnect();
  }

  #tell(message: ToWriter): void {
    this.#child.send(message);
  }

  async #ask(message: ToWriter): Promise<void> {
    const answer = once(this.#child, 'message');
    this.#tell(message);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- our own writer sent it
    const [{ written }] = (await answer) as [FromWriter];
    this.#written = written;
  }
}
