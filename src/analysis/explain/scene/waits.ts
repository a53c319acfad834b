import { causeCode, isOff, kind, kindOf, namedCause } from './causes.ts';
import type { Entities } from './entities.ts';
import type { Cause, Wait } from '../result.ts';
import type { Cpu, ExplainedTask, OpenWait, Theft } from './state.ts';

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

/** How long a cause holds in a wait. */
interface CauseSum {
  readonly code: number;
  readonly entity: number;
  ns: number;
}

/** A wait with numbers as times. */
export type FoundWait = Omit<Wait, 'dueNs' | 'endNs' | 'stretches'> & {
  readonly due: number;
  readonly end: number;
  readonly stretches: readonly FoundStretch[];
};

/** The same, before its causes are named. */
type CodedWait = Omit<FoundWait, 'causes'> & { readonly causes: readonly CauseSum[] };

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
  /** The worst so far, and others that came since they were last sorted out. */
  readonly #found: CodedWait[] = [];
  /** No wait is among the worst that is not longer. */
  #limit = -Infinity;
  /** How many may be found until they are sorted out. */
  readonly #mostFound: number;
  /** Stretches of the waits found. */
  #stretches = 0;

  constructor(choice: WaitChoice, entities: Entities) {
    this.#choice = choice;
    this.#entities = entities;
    // sorting takes time, and stretches take memory
    this.#mostFound = choice.worst * ((choice.stretches ?? 0) > 0 ? 1 : 2);
    this.#isMoved = entities.add('host', { name: 'its move to another CPU was not recorded' });
    this.#beyondHistory = entities.add('host', { name: 'too many causes before' });
  }

  /** A wait ends, or the trace does. */
  end(wait: OpenWait, task: ExplainedTask, end: number, isOver = true): void {
    if (this.#take(task, wait.due, end)) this.#keep(wait, task, end, isOver);
  }

  /** Time was taken from the task that is current on a CPU. */
  stolen(cpu: Cpu, { kind, task, since }: Theft, end: number, isOver: boolean): void {
    if (kind === undefined || !this.#take(task, since, end)) return;
    this.#keep({ kind, due: since, isDue: false, cpu, since, earlier: undefined }, task, end, isOver);
  }

  /** Counts a wait if it is wanted. Returns whether it may be among the worst. */
  #take(task: ExplainedTask, due: number, end: number): boolean {
    const { from, to, overNs, isWanted } = this.#choice;
    const length = end - due;
    if (length <= 0 || length < overNs || end < from || due > to || !isWanted(task)) return false;
    this.count++;
    this.#steps += stepsForEach;
    return length > this.#limit;
  }

  #keep(wait: OpenWait, task: ExplainedTask, end: number, isOver: boolean): void {
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

  /** The worst waits, longest first. */
  worst(): FoundWait[] {
    this.#sortOut();
    const named = ({ code, entity, ns }: CauseSum): Cause => ({
      ...namedCause(code, entity, this.#entities),
      ns,
    });
    return this.#found.map((wait) => ({ ...wait, causes: wait.causes.map(named) }));
  }

  #sortOut(): void {
    const found = this.#found;
    found.sort((a, b) => b.lengthNs - a.lengthNs);
    for (const { stretches } of found.splice(this.#choice.worst)) this.#stretches -= stretches.length;
    if (found.length === this.#choice.worst) this.#limit = found.at(-1)?.lengthNs ?? Infinity;
  }

  #add({ wait, task, name, cpu, end, isOver }: EndedWait): void {
    const length = end - wait.due;
    if (length <= this.#limit) return;
    const found: CodedWait = {
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
    this.#found.push(found);
    this.#stretches += found.stretches.length;
    if (this.#found.length > this.#mostFound) this.#sortOut();
  }

  #causesOf(wait: OpenWait, task: ExplainedTask, end: number): Pick<CodedWait, 'causes' | 'stretches'> {
    const stretches: FoundStretch[] = [];
    const most = Math.min(mostOfWait, (this.#choice.stretches ?? 0) - this.#stretches);
    const sums = new Map<number, CauseSum>();
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
      return { causes: [...sums.values()], stretches };
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
    return { causes: sorted, stretches };
  }

  #isItself(code: number, entity: number, task: ExplainedTask): boolean {
    if (kindOf(code) !== kind['guest-task']) return false;
    const { machine, tid } = this.#entities.at(entity);
    return tid === task.tid && machine === task.machine.name;
  }
}
