const idle = Buffer.from('<idle>');
const unknown = Buffer.from('<...>');
/** The kernel's limit for pids. */
const maxLearned = 1 << 22;
/** Limit for the labels that are kept, of all CPUs together. */
const maxLabels = 100_000;
const nameWidth = 16;
const shortNameWidth = 8;

/**
 * Names of tasks as bytes, for printing. Printing sched events adds the names in them, but never renames a task.
 */
export class PrintTaskNames {
  readonly #names = new Map<number, Uint8Array>();
  readonly #labels: (Map<number, Uint8Array> | undefined)[] = [];
  #labelCount = 0;
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

  /** The beginning of a line: `%16s-%-5d [%03d]`, or `%8.8s-%-5d %3d` in the latency format. */
  label(pid: number, cpu: number): Uint8Array {
    const known = this.#labels[cpu]?.get(pid);
    if (known !== undefined) return known;
    if (this.#labelCount >= maxLabels) {
      this.#labels.length = 0;
      this.#labelCount = 0;
    }
    this.#labelCount++;
    const name = Buffer.from(this.get(pid)).toString('latin1');
    const task = this.#isShort
      ? name.slice(0, shortNameWidth).padStart(shortNameWidth)
      : name.padStart(nameWidth);
    const place = this.#isShort ? String(cpu).padStart(3) : `[${String(cpu).padStart(3, '0')}]`;
    const label = Buffer.from(`${task}-${String(pid).padEnd(5)} ${place}`, 'latin1');
    (this.#labels[cpu] ??= new Map()).set(pid, label);
    return label;
  }

  /** Names a task that has no name yet. The bytes are copied. */
  learn(pid: number, source: Uint8Array, start: number, end: number): void {
    if (pid === 0 || this.#names.has(pid) || this.#names.size >= maxLearned) return;
    // not slice(): of a Buffer it is a view
    this.#names.set(pid, new Uint8Array(source.subarray(start, end)));
    for (const labels of this.#labels) labels?.delete(pid);
  }

  /** Pids of all tasks of that name. */
  pidsOf(name: string): number[] {
    const wanted = Buffer.from(name);
    return [...this.#names].filter(([, text]) => wanted.equals(text)).map(([pid]) => pid);
  }
}
