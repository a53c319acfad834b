/** A retry delay that doubles with each attempt, up to a maximum, until `reset`. */
export class Backoff {
  readonly #firstMs: number;
  readonly #mostMs: number;
  #nextMs: number | undefined;

  constructor(firstMs: number, mostMs: number) {
    this.#firstMs = firstMs;
    this.#mostMs = mostMs;
  }

  /** True between `begin` and `reset`: the caller has to wait before its next attempt. */
  get active(): boolean {
    return this.#nextMs !== undefined;
  }

  begin(): void {
    this.#nextMs ??= this.#firstMs;
  }

  reset(): void {
    this.#nextMs = undefined;
  }

  /** The delay before the next attempt, in milliseconds. Each call doubles the delay, up to the maximum. */
  next(): number {
    const waitMs = this.#nextMs ?? this.#firstMs;
    this.#nextMs = Math.min(waitMs * 2, this.#mostMs);
    return waitMs;
  }
}
