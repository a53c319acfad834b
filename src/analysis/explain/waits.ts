import { causeCode, isOff, kind, kindOf, namedCause } from './causes.ts';
import type { Entities } from './entities.ts';
import type { Cause, Wait } from './result.ts';
import type { ExplainedTask, OpenWait } from './state.ts';

/** Causes of a wait beyond this number are summed up by kind. */
const mostCauses = 256;
/** Stretches that are kept of a wait. */
const mostOfWait = 1 << 14;
/** Steps that may be taken for each wait looked at, on average: a hostile file has many long ones. */
const stepsForEach = 64;
const firstSteps = 1 << 24;
/** More than any code of a cause. */
const codeUnit = 2 ** 19;

/**
 * The causes of a wait are looked for so long after its end: an event of the host that says more of them may come later,
 * as the guest's times are not exact.
 */
const settleNs = 1e6;
const mostEnded = 1 << 14;

/** Which waits to find. */
export interface WaitChoice {
  /** The worst this many. */
  readonly worst: number;
  /** Only longer ones. */
  readonly overNs: number;
  /** Only those that end after `from` and begin before `to`. */
  readonly from: number;
  readonly to: number;
  readonly isWanted: (task: ExplainedTask) => boolean;
  /** How many stretches to keep, of all waits together; none by default. */
  readonly stretches?: number;
}

/** A cause and when it holds, without interruption. */
export interface FoundStretch {
  readonly code: number;
  readonly entity: number;
  readonly from: number;
  to: number;
}

/** A wait with numbers as times. */
export type FoundWait = Omit<Wait, 'dueNs' | 'endNs' | 'stretches'> & {
  readonly due: number;
  readonly end: number;
  readonly stretches: readonly FoundStretch[];
};

interface EndedWait {
  readonly wait: OpenWait;
  readonly task: ExplainedTask;
  readonly name: string;
  readonly cpu: number;
  readonly end: number;
  readonly isOver: boolean;
}

/** The worst waits so far, with their causes. */
export class Waits {
  /** Longest first. */
  readonly worst: FoundWait[] = [];
  count = 0;
  /** Waits whose causes were not looked for, because that would take too long. */
  unresolved = 0;
  readonly #choice: WaitChoice;
  readonly #entities: Entities;
  readonly #beyondHistory: number;
  readonly #isMoved: number;
  /** Those whose causes are still to be found, in the order of their ends. */
  readonly #ended: EndedWait[] = [];
  #steps = firstSteps;
  /** Stretches of the worst waits. */
  #kept = 0;

  constructor(choice: WaitChoice, entities: Entities) {
    this.#choice = choice;
    this.#entities = entities;
    this.#isMoved = entities.add('host', { name: 'its move to another CPU was not recorded' });
    this.#beyondHistory = entities.add('host', { name: 'too many causes before' });
  }

  /** A wait ends, or the trace does. */
  end(wait: OpenWait, task: ExplainedTask, end: number, isOver = true): void {
    const { from, to, overNs, isWanted } = this.#choice;
    const { due } = wait;
    const length = end - due;
    if (length <= 0 || length < overNs || end < from || due > to || !isWanted(task)) return;
    this.count++;
    this.#steps += stepsForEach;
    if (!this.#isAmongWorst(length)) return;
    if (this.#ended.length >= mostEnded) this.settle(Infinity);
    this.#ended.push({ wait, task, name: task.name, cpu: wait.cpu.number, end, isOver });
  }

  /** Finds the causes of waits that ended some time before `now`. */
  settle(now: number): void {
    const ended = this.#ended;
    if (ended.length === 0 || ended[0]!.end + settleNs > now) return;
    let count = 0;
    for (; count < ended.length && ended[count]!.end + settleNs <= now; count++) this.#add(ended[count]!);
    ended.splice(0, count);
  }

  #isAmongWorst(length: number): boolean {
    const { worst } = this.#choice;
    return this.worst.length < worst || length > (this.worst.at(-1)?.lengthNs ?? Infinity);
  }

  #add({ wait, task, name, cpu, end, isOver }: EndedWait): void {
    const length = end - wait.due;
    if (!this.#isAmongWorst(length)) return;
    const found: FoundWait = {
      machine: task.machine.name,
      task: name,
      tid: task.tid,
      prio: task.prio,
      cpu,
      due: wait.due,
      end,
      lengthNs: length,
      kind: wait.kind,
      isDue: wait.isDue,
      isOver,
      ...this.#causesOf(wait, task, end),
    };
    let at = this.worst.length;
    while (at > 0 && this.worst[at - 1]!.lengthNs < length) at--;
    this.worst.splice(at, 0, found);
    this.#kept += found.stretches.length;
    if (this.worst.length > this.#choice.worst) this.#kept -= this.worst.pop()!.stretches.length;
  }

  #causesOf(wait: OpenWait, task: ExplainedTask, end: number): Pick<FoundWait, 'causes' | 'stretches'> {
    const stretches: FoundStretch[] = [];
    const most = Math.min(mostOfWait, (this.#choice.stretches ?? 0) - this.#kept);
    const sums = new Map<number, { readonly code: number; readonly entity: number; ns: number }>();
    const add = (code: number, entity: number, ns: number, from: number): void => {
      const last = stretches.at(-1);
      if (last?.code === code && last.entity === entity && last.to === from) last.to += ns;
      else if (stretches.length < most) stretches.push({ code, entity, from, to: from + ns });
      const key = entity * codeUnit + code;
      const sum = sums.get(key);
      if (sum === undefined) sums.set(key, { code, entity, ns });
      else sum.ns += ns;
    };
    if (this.#steps <= 0) {
      this.unresolved++;
      const why = this.#entities.add('host', { name: 'too many long waits' });
      add(kind.unknown, why, end - wait.due, wait.due);
      return { causes: [this.#cause(kind.unknown, why, end - wait.due)], stretches };
    }
    const pieces = [...(wait.earlier ?? [])];
    if (wait.isLost !== true) pieces.push({ cpu: wait.cpu, from: wait.since, to: end });
    let steps = 0;
    for (const { cpu, from, to } of pieces)
      steps += cpu.timeline.slice(from, to, (code, entity, ns, since) => {
        if (code < 0) add(kind.unknown, this.#beyondHistory, ns, since);
        // its own stretches as current, and idle ones: the guest's kernel is on its way to the task
        else if (isOff(kindOf(code)) || !this.#isItself(code, entity, task)) add(code, entity, ns, since);
        else add(causeCode(kind['guest-kernel'], cpu.number, false), task.machine.nobody, ns, since);
      });
    if (wait.isLost === true) add(kind.unknown, this.#isMoved, end - wait.since, wait.since);
    this.#steps -= steps;
    const sorted = [...sums.values()].sort((a, b) => b.ns - a.ns);
    for (const { code, ns } of sorted.splice(mostCauses)) {
      const others = causeCode(kindOf(code), -1, false);
      const sum = sorted.find((each) => each.code === others && each.entity === 1);
      if (sum === undefined) sorted.push({ code: others, entity: 1, ns });
      else sum.ns += ns;
    }
    return { causes: sorted.map(({ code, entity, ns }) => this.#cause(code, entity, ns)), stretches };
  }

  #isItself(code: number, entity: number, task: ExplainedTask): boolean {
    if (kindOf(code) !== kind['guest-task']) return false;
    const { machine, tid } = this.#entities.at(entity);
    return tid === task.tid && machine === task.machine.name;
  }

  #cause(code: number, entity: number, ns: number): Cause {
    const { inferred, ...cause } = namedCause(code, entity, this.#entities);
    return { ...cause, ns, inferred };
  }
}
