import { isOff, kind, kindOf, namedCause } from './scene/causes.ts';
import type { CauseTaker, Scene } from './scene/scene.ts';
import type { VcpuStretch } from './result.ts';

/** Stretches that are given out together. */
const mostWaiting = 1 << 10;

/** The time that is explained, counted from `origin`. */
interface ExplainedTime {
  readonly origin: bigint;
  readonly begin: number;
  readonly end: number;
}

/** Gets a stretch; if it returns a promise, that is awaited. */
type StretchTaker = (stretch: VcpuStretch) => Promise<void> | undefined;

/** Stretches in which vCPUs did not run, until they are given out. */
export class VcpuStretches {
  readonly #onStretch: StretchTaker;
  readonly #time: ExplainedTime;
  readonly #waiting: Parameters<CauseTaker>[] = [];

  constructor(onStretch: StretchTaker, time: ExplainedTime) {
    this.#onStretch = onStretch;
    this.#time = time;
  }

  get isFull(): boolean {
    return this.#waiting.length >= mostWaiting;
  }

  readonly take: CauseTaker = (cpu, code, entity, from, to) => {
    const { begin, end } = this.#time;
    const its = kindOf(code);
    // of a guest that was not traced, nobody knows what runs in it, but that its vCPU does
    const isUnknown = its === kind.unknown && cpu.lastAt > -Infinity;
    if ((isOff(its) || isUnknown) && from < end && to > begin)
      this.#waiting.push([cpu, code, entity, Math.max(from, begin), Math.min(to, end)]);
  };

  async giveOut({ entities }: Scene): Promise<void> {
    const { origin } = this.#time;
    for (const [cpu, code, entity, from, to] of this.#waiting.splice(0)) {
      const taken = this.#onStretch({
        ...namedCause(code, entity, entities),
        guest: cpu.machine.name,
        vcpu: cpu.number,
        beginNs: timeOf(from, origin),
        endNs: timeOf(to, origin),
      });
      if (taken !== undefined) await taken;
    }
  }
}

/** A time of the scene, on the clock of the recordings. */
export function timeOf(time: number, origin: bigint): bigint {
  return origin + BigInt(Math.round(time));
}
