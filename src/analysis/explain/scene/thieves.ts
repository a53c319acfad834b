import { isTheft, kindOf } from './causes.ts';
import type { Entities } from './entities.ts';
import { causeKinds, type Thief } from '../result.ts';
import type { Cpu } from './state.ts';

const kindUnit = 16;
const mostThieves = 1 << 16;

interface Sum {
  ns: number;
  count: number;
  worst: number;
}

/** Sums up who kept the vCPUs of each guest from running. */
export class Thieves {
  readonly #from: number;
  readonly #to: number;
  readonly #byGuest = new Map<string, Map<number, Sum>>();
  #count = 0;

  constructor(from: number, to: number) {
    this.#from = from;
    this.#to = to;
  }

  /** The present cause of a guest's CPU ends. Causes that differ only in the CPU or in `inferred` are one stretch. */
  ends(cpu: Cpu, now: number): void {
    const kind = kindOf(cpu.code);
    const { thief } = cpu;
    if (cpu.code < 0 || !isTheft(kind) || now <= cpu.since) return;
    if (thief.entity === cpu.entity && thief.kind === kind && thief.to === cpu.since) {
      thief.to = now;
      return;
    }
    this.flush(cpu);
    thief.entity = cpu.entity;
    thief.kind = kind;
    thief.from = cpu.since;
    thief.to = now;
  }

  /** Counts the last stretch of a guest's CPU. */
  flush({ machine: { name }, thief }: Cpu): void {
    const ns = Math.min(thief.to, this.#to) - Math.max(thief.from, this.#from);
    const { entity, kind } = thief;
    thief.kind = -1;
    if (kind < 0 || ns <= 0) return;
    let sums = this.#byGuest.get(name);
    if (sums === undefined) this.#byGuest.set(name, (sums = new Map()));
    let key = entity * kindUnit + kind;
    let sum = sums.get(key);
    if (sum === undefined && this.#count >= mostThieves) {
      key = kindUnit + kind;
      sum = sums.get(key);
    }
    if (sum === undefined) {
      sum = { ns: 0, count: 0, worst: 0 };
      sums.set(key, sum);
      this.#count++;
    }
    sum.ns += ns;
    sum.count++;
    sum.worst = Math.max(sum.worst, ns);
  }

  /** Most time first. */
  result(entities: Entities): Thief[] {
    const thieves: Thief[] = [];
    for (const [guest, sums] of this.#byGuest)
      for (const [key, { ns, count, worst }] of sums) {
        const kind = causeKinds[key % kindUnit]!;
        const entity = entities.at(Math.floor(key / kindUnit));
        thieves.push({ guest, kind, ...entity, ns, count, worstNs: worst });
      }
    return thieves.sort((a, b) => b.ns - a.ns);
  }
}
