import { isObject } from '../../src/base/json-type.ts';
import { burstHere, burstIn, type Burster, putBursts } from '../../test/guest/explain/bursts.ts';
import type { Guest } from '../../test/guest/harness/index.ts';
import { tool } from '../../test/guest/harness/tool.ts';

/** The task of the guest that loses time. Nothing in the guest goes before it. */
const victim = { name: 'victim', cpu: 0, fifo: 10, runUs: 50_000, everyUs: 100_000 };
const options = { name: 'disturber', cpu: 0, fifo: 50, runUs: 40_000, everyUs: 500_000 };

/** A task of the host that takes the CPU of the guest's CPU 0 now and then, and a task of the guest that needs it. */
export class Disturbance {
  /** What it does, as commands. */
  readonly words: string;
  readonly #bursters: readonly Burster[];

  private constructor(words: string, bursters: readonly Burster[]) {
    this.words = words;
    this.#bursters = bursters;
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
    await putBursts(guest);
    return new Disturbance(words, [await burstIn(guest, victim), await burstHere(options)]);
  }

  /** The task of the guest that loses time. */
  get victim(): string {
    return victim.name;
  }

  async end(): Promise<void> {
    for (const burster of this.#bursters) await burster.end();
  }
}
