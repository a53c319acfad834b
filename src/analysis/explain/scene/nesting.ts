/** Interrupts cannot nest deeper. */
const mostNested = 8;

/** The interrupts that run on a CPU, the innermost last. */
export class Nesting {
  readonly #entities = new Int32Array(mostNested);
  readonly #numbers = new Int32Array(mostNested);
  readonly #isIrq = new Uint8Array(mostNested);
  #depth = 0;

  /** 0: none runs; 1: the innermost is an irq; 2: a softirq. */
  get running(): 0 | 1 | 2 {
    if (this.#depth === 0) return 0;
    return this.#isIrq[this.#depth - 1] === 1 ? 1 : 2;
  }

  /** The entity of the innermost. */
  get entity(): number {
    return this.#entities[this.#depth - 1] ?? 0;
  }

  enter(entity: number, number: number, isIrq: boolean): void {
    // deeper than interrupts can nest, so exits must be missing
    if (this.#depth === mostNested) this.#depth = 0;
    const at = this.#depth++;
    this.#entities[at] = entity;
    this.#numbers[at] = number;
    this.#isIrq[at] = isIrq ? 1 : 0;
  }

  leave(number: number, isIrq: boolean): void {
    const wanted = isIrq ? 1 : 0;
    let at = this.#depth - 1;
    while (at >= 0 && (this.#numbers[at] !== number || this.#isIrq[at] !== wanted)) at--;
    if (at >= 0) this.#depth = at;
  }

  /** Events were lost, or a task was switched while an interrupt ran, which is a softirq's thread on PREEMPT_RT. */
  clear(): void {
    this.#depth = 0;
  }
}
