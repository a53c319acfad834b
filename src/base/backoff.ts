/** A wait that doubles from one try to the next, within bounds, until something moves again. */
export class Backoff {
  readonly #firstMs: number;
  readonly #mostMs: number;
  #nextMs: number | undefined;

  constructor(firstMs: number, mostMs: number) {
    this.#firstMs = firstMs;
    this.#mostMs = mostMs;
  }

  /** Whether a wait is due; set by `begin`, ended by `reset`. */
  get active(): boolean {
    return this.#nextMs !== undefined;
  }

  begin(): void {
    this.#nextMs ??= this.#firstMs;
  }

  reset(): void {
    this.#nextMs = undefined;
  }

  /** The wait that is due now, in milliseconds; the next one is longer. */
  next(): number {
    const waitMs = this.#nextMs ?? this.#firstMs;
    this.#nextMs = Math.min(waitMs * 2, this.#mostMs);
    return waitMs;
  }
}
