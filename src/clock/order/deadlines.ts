import type { OrderedPair } from '../map/observations.ts';

/** IA32_TSC_DEADLINE: when the timer of a CPU fires, by its TSC. A guest's write to it is an exit. */
export const deadlineMsr = 0x6e0;

/** The kernel rounds deadlines (TSC_DIVISOR); bits above that one are as good as random. */
const firstRandomBit = 4n;

/**
 * The deadlines that one vCPU wrote, by the host's kvm_msr events. Each is the guest's TSC plus some time, so none is
 * written twice; one that was is not used. Keeps at most `most`: when it is full, every second one is dropped, and of
 * later ones as many.
 */
export class Deadlines {
  readonly #times = new Map<bigint, number>();
  readonly #most: number;
  /** Only values whose random bits are 0 in this mask are kept. */
  #mask = 0n;

  constructor(most = 1 << 17) {
    this.#most = most;
  }

  get size(): number {
    return this.#times.size;
  }

  /** @param time by the host, as a number */
  add(value: bigint, time: number): void {
    if (!this.#isKept(value)) return;
    this.#times.set(value, this.#times.has(value) ? NaN : time);
    if (this.#times.size > this.#most) this.#halve();
  }

  /** When it was written; undefined if that is unknown. */
  timeOf(value: bigint): number | undefined {
    const time = this.#times.get(value);
    return time === undefined || Number.isNaN(time) ? undefined : time;
  }

  #isKept(value: bigint): boolean {
    // 0 disarms the timer
    return value !== 0n && ((value >> firstRandomBit) & this.#mask) === 0n;
  }

  #halve(): void {
    this.#mask = (this.#mask << 1n) | 1n;
    for (const value of this.#times.keys()) if (!this.#isKept(value)) this.#times.delete(value);
  }
}

interface Written {
  /** The guest's last event before it, and its own. */
  readonly before: number | undefined;
  readonly at: number;
  readonly host: number;
}

/**
 * Pairs of events around a guest's writes of deadlines. The kernel writes them with interrupts disabled and traces the
 * write right after it (write_msr), so what its CPU recorded before that came before the exit, and write_msr came after
 * it. A pair is matched by the value, so lost events on either side do no harm.
 */
export class DeadlinePairs {
  readonly #deadlines: readonly Deadlines[];
  readonly #last: (number | undefined)[] = [];
  readonly #written: Map<bigint, Written | undefined>[];

  /** @param deadlines of each vCPU; they must no longer change */
  constructor(deadlines: readonly Deadlines[]) {
    this.#deadlines = deadlines;
    this.#written = deadlines.map(() => new Map());
  }

  /** Call for an event that cannot come between a write and its write_msr. Events of a CPU come in order. */
  event(cpu: number, time: number): void {
    this.#last[cpu] = time;
  }

  /** Call for a write_msr of `deadlineMsr`. */
  wrote(cpu: number, time: number, value: bigint): void {
    const host = this.#deadlines[cpu]?.timeOf(value);
    const written = this.#written[cpu];
    if (host === undefined || written === undefined) return;
    written.set(value, written.has(value) ? undefined : { before: this.#last[cpu], at: time, host });
  }

  pairs({
    hostOrigin,
    guestOrigin,
  }: {
    readonly hostOrigin: bigint;
    readonly guestOrigin: bigint;
  }): OrderedPair[] {
    const pairs: OrderedPair[] = [];
    for (const written of this.#written)
      for (const each of written.values()) {
        if (each === undefined) continue;
        const host = hostOrigin + BigInt(each.host);
        if (each.before !== undefined)
          pairs.push({ guest: guestOrigin + BigInt(each.before), host, first: 'guest' });
        pairs.push({ guest: guestOrigin + BigInt(each.at), host, first: 'host' });
      }
    return pairs;
  }
}
