import type { Random } from './random.ts';

/** Something that happens to a guest's clock. Times are ns of the simulated host, from 0. */
export type ClockFault =
  | { readonly kind: 'pause'; readonly at: number; readonly ns: number }
  /** The guest's clock goes forward, or back. */
  | { readonly kind: 'step'; readonly at: number; readonly ns: number };

export interface GuestClockOptions {
  readonly durationNs: number;
  /** The guest's clock gains so much on the host's. */
  readonly ratePpm: number;
  /** How far the rate changes to either side while it runs. */
  readonly wanderPpm: number;
  readonly faults: readonly ClockFault[];
  /** What the clocks show at time 0. */
  readonly hostOrigin: bigint;
  readonly guestOrigin: bigint;
}

interface Part {
  readonly from: number;
  readonly guest: number;
  readonly speed: number;
}

const wanderStep = 300e6;

/** A guest's clock with a known relation to the host's. */
export class GuestClock {
  readonly hostOrigin: bigint;
  readonly guestOrigin: bigint;
  readonly pauses: readonly { readonly from: number; readonly to: number }[];
  readonly #parts: Part[] = [];

  constructor(
    { durationNs, ratePpm, wanderPpm, faults, hostOrigin, guestOrigin }: GuestClockOptions,
    random: Random,
  ) {
    this.hostOrigin = hostOrigin;
    this.guestOrigin = guestOrigin;
    const speed = (): number => 1 + (ratePpm + random.between(-wanderPpm, wanderPpm)) / 1e6;
    const pauses: { from: number; to: number }[] = [];
    let part: Part = { from: 0, guest: 0, speed: speed() };
    this.#parts.push(part);
    const go = (to: number, ns: number, next: number): void => {
      part = { from: to, guest: part.guest + (to - part.from) * part.speed + ns, speed: next };
      this.#parts.push(part);
    };
    const step = wanderPpm > 0 ? wanderStep : Infinity;
    const walk = (to: number): void => {
      while (part.from + step < to) go(part.from + step, 0, speed());
    };
    for (const fault of [...faults].sort((a, b) => a.at - b.at)) {
      walk(fault.at);
      if (fault.kind === 'step') go(fault.at, fault.ns, speed());
      else {
        pauses.push({ from: fault.at, to: fault.at + fault.ns });
        go(fault.at, 0, 0);
        go(fault.at + fault.ns, 0, speed());
      }
    }
    walk(durationNs);
    this.pauses = pauses;
  }

  /** The guest's clock at a time of the host, counted from 0. */
  at(host: number): bigint {
    return this.guestOrigin + BigInt(this.since(host));
  }

  /** How far the guest's clock has gone at a time of the host, both counted from 0. */
  since(host: number): number {
    let index = this.#parts.length - 1;
    while (index > 0 && this.#parts[index]!.from > host) index--;
    const { from, guest, speed } = this.#parts[index]!;
    return Math.floor(guest + (host - from) * speed);
  }

  /** The first whole time of the host at which the guest's clock has gone so far; of a clock without steps. */
  hostSince(guest: number): number {
    const parts = this.#parts;
    let index = parts.length - 1;
    while (index > 0 && parts[index]!.guest >= guest) index--;
    const part = parts[index]!;
    let host = Math.ceil(part.from + (guest - part.guest) / part.speed);
    while (this.since(host) < guest) host++;
    while (this.since(host - 1) >= guest) host--;
    return host;
  }

  /** When the clock's rate changes, and the beginning. */
  get changes(): number[] {
    return this.#parts.map(({ from }) => from);
  }

  host(time: number): bigint {
    return this.hostOrigin + BigInt(Math.floor(time));
  }
}
