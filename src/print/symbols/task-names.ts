const idle = Buffer.from('<idle>');
const unknown = Buffer.from('<...>');
/** The kernel's limit for pids. */
const maxLearned = 1 << 22;
const nameWidth = 16;
const shortNameWidth = 8;

/**
 * Names of tasks as bytes, for printing. Grows while sched events are printed: they name tasks, too, but never rename
 * one.
 */
export class PrintTaskNames {
  readonly #names = new Map<number, Uint8Array>();
  readonly #labels = new Map<number, Uint8Array>();
  readonly #isShort: boolean;

  /** @param isShort labels for the latency format */
  constructor(names: Iterable<readonly [pid: number, name: Uint8Array]>, isShort: boolean) {
    for (const [pid, name] of names) this.#names.set(pid, name);
    this.#isShort = isShort;
  }

  /** `<idle>` for pid 0, `<...>` for an unknown task. */
  get(pid: number): Uint8Array {
    return pid === 0 ? idle : (this.#names.get(pid) ?? unknown);
  }

  /** How a line begins: `%16s-%-5d `, for the latency format `%8.8s-%-5d `. */
  label(pid: number): Uint8Array {
    const known = this.#labels.get(pid);
    if (known !== undefined) return known;
    if (this.#labels.size >= maxLearned) this.#labels.clear();
    const name = this.get(pid);
    const width = this.#isShort ? shortNameWidth : nameWidth;
    const shown = Buffer.from(name)
      .toString('latin1')
      .slice(0, this.#isShort ? width : undefined);
    const label = Buffer.from(`${shown.padStart(width)}-${String(pid).padEnd(5)} `, 'latin1');
    this.#labels.set(pid, label);
    return label;
  }

  /** Names a task that has no name yet. The bytes are copied. */
  learn(pid: number, source: Uint8Array, start: number, end: number): void {
    if (pid === 0 || this.#names.has(pid) || this.#names.size >= maxLearned) return;
    this.#names.set(pid, source.slice(start, end));
    this.#labels.delete(pid);
  }

  /** Pids of all tasks of that name. */
  pidsOf(name: string): number[] {
    const wanted = Buffer.from(name);
    return [...this.#names].filter(([, text]) => wanted.equals(text)).map(([pid]) => pid);
  }
}
