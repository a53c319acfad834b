import { ChildTask } from '../machine/child-task.ts';
import { executable } from '../machine/programs.ts';

/** A program that takes longer is considered to hang. */
const answerMs = 120_000;

/** What came out of a port: see bench/programs/drain.c. */
export interface Received {
  readonly pages: number;
  /** Bytes of trace data, without page headers and padding. */
  readonly dataBytes: number;
  readonly events: number;
  readonly missed: number;
  readonly torn: number;
  /** CLOCK_MONOTONIC, as `process.hrtime.bigint()`; 0n: no data arrived. */
  readonly firstNs: bigint;
  readonly lastNs: bigint;
}

/** The reader at the host end of one port. */
export class Drain {
  readonly #task: ChildTask;
  #answers = 0;

  private constructor(task: ChildTask) {
    this.#task = task;
  }

  static async open(fifo: string, pageBytes: number, live = false): Promise<Drain> {
    const flags = live ? ['--live'] : [];
    const task = new ChildTask([executable('drain'), ...flags, fifo, String(pageBytes)]);
    await task.waitFor(/^open$/m, answerMs);
    return new Drain(task);
  }

  /** What has arrived up to now. Not with `live`. */
  async received(): Promise<Received> {
    const lines = this.#answers + 1;
    this.#task.kill('SIGUSR1');
    await this.#task.waitFor(new RegExp(`^(?:open\\n)(?:\\{.*\\}\\n){${lines}}`), answerMs);
    this.#answers = lines;
    return this.#last();
  }

  /** With `live`: waits for the first page after `afterNs` and returns its time. */
  async arrival(afterNs: bigint): Promise<bigint> {
    const deadlineMs = performance.now() + answerMs;
    while (performance.now() < deadlineMs) {
      const late = this.#lines().find((line) => line.lastNs > afterNs);
      if (late !== undefined) return late.lastNs;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    throw new Error(`no data within ${answerMs} ms`);
  }

  /** Reads what is left, and ends. */
  async end(): Promise<Received> {
    this.#task.kill('SIGTERM');
    const { code } = await this.#task.wait(answerMs);
    if (code !== 0) throw new Error(`drain: exit code ${code}: ${this.#task.stderr}`);
    return this.#last();
  }

  #last(): Received {
    const last = this.#lines().at(-1);
    if (last === undefined) throw new Error('drain printed nothing');
    return last;
  }

  #lines(): Received[] {
    return this.#task.stdout
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map(
        (line) =>
          // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- our own program wrote it
          JSON.parse(line, (key, value: unknown) =>
            key.endsWith('Ns') ? BigInt(String(value)) : value,
          ) as Received,
      );
  }
}
