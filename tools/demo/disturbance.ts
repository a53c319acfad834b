import { isObject } from '../../src/base/json-type.ts';
import { burstHere, type Burster } from '../../test/guest/explain/bursts.ts';
import type { Guest } from '../../test/guest/harness/index.ts';
import { tool } from '../../test/guest/harness/tool.ts';

/** Its bursts are longer than anything else that makes a task of the demo's guest wait. */
const options = { name: 'disturber', cpu: 0, fifo: 50, runUs: 40_000, everyUs: 500_000 };

/** A task of the host that takes the CPU of the guest's CPU 0 now and then. */
export class Disturbance {
  /** What it does, as commands. */
  readonly words: string;
  readonly #burster: Burster;

  private constructor(words: string, burster: Burster) {
    this.words = words;
    this.#burster = burster;
  }

  /** Pins the thread of the guest's CPU 0 to CPU 0 of the host, and begins. Throws if that is not permitted. */
  static async begin(guest: Guest): Promise<Disturbance> {
    const threads = await guest.qmp('query-cpus-fast');
    const first = Array.isArray(threads)
      ? threads.find((each) => isObject(each) && each['cpu-index'] === 0)
      : {};
    const tid = String(isObject(first) ? first['thread-id'] : '');
    tool('taskset', ['-pc', String(options.cpu), tid]);
    const { name, cpu, fifo, runUs, everyUs } = options;
    const words = `taskset -pc ${cpu} ${tid}; a task ${name} (SCHED_FIFO ${fifo}) runs there ${runUs / 1000} of each ${everyUs / 1000} ms`;
    return new Disturbance(words, await burstHere(options));
  }

  async end(): Promise<void> {
    await this.#burster.end();
  }
}
