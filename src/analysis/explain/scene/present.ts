import { Causes, isInterrupt, isOff, kindOf } from './causes.ts';
import type { Entities } from './entities.ts';
import type { Cpu, ExplainedTask, TheftKind } from './state.ts';
import type { Thieves } from './thieves.ts';
import type { Waits } from './waits.ts';

/** What holds each CPU of the guests now. Whoever changes what a cause is made of calls `refresh`. */
export class Present {
  now = -Infinity;
  readonly causes: Causes;
  readonly #waits: Waits;
  readonly #thieves: Thieves;

  constructor(entities: Entities, waits: Waits, thieves: Thieves) {
    this.causes = new Causes(entities);
    this.#waits = waits;
    this.#thieves = thieves;
  }

  refresh(cpu: Cpu): void {
    const code = this.causes.of(cpu);
    const { entity } = this.causes;
    if (code === cpu.code && entity === cpu.entity) return;
    this.#thieves.ends(cpu, this.now);
    cpu.timeline.push(this.now, code, entity);
    cpu.code = code;
    cpu.entity = entity;
    cpu.since = this.now;
    this.followTheft(cpu);
  }

  /** Whether the time of a CPU's current task is taken, and by whom, may have changed. */
  followTheft(cpu: Cpu): void {
    const { now } = this;
    const { current, theft, endedTheft: last } = cpu;
    if (last.kind !== undefined && last.end !== now) this.#endTheft(cpu);
    const kind = theftOf(current, kindOf(cpu.code));
    if (theft.kind !== undefined) {
      if (theft.kind === kind && theft.task === current) return;
      // what took no time was none
      if (theft.since === now) theft.kind = undefined;
      else {
        this.#endTheft(cpu);
        theft.end = now;
        cpu.endedTheft = theft;
        cpu.theft = last;
      }
    }
    if (kind === undefined) return;
    const { theft: next, endedTheft: before } = cpu;
    next.kind = kind;
    next.task = current!;
    next.since = now;
    // no time has passed since the last one: the task has not run
    if (before.kind !== kind || before.task !== current) return;
    next.since = before.since;
    before.kind = undefined;
  }

  #endTheft(cpu: Cpu): void {
    const { endedTheft } = cpu;
    if (endedTheft.kind === undefined) return;
    this.#waits.stolen(cpu, endedTheft, endedTheft.end, true);
    endedTheft.kind = undefined;
  }

  /** The end of the trace. */
  end(cpu: Cpu): void {
    this.#endTheft(cpu);
    this.#waits.stolen(cpu, cpu.theft, this.now, false);
    this.#thieves.ends(cpu, this.now);
    this.#thieves.flush(cpu);
  }
}

/** How a task that is current loses its time; undefined if it does not. */
function theftOf(task: ExplainedTask | undefined, cause: number): TheftKind | undefined {
  if (task === undefined || task.tid === 0) return undefined;
  if (isOff(cause)) return 'stolen';
  return isInterrupt(cause) && !task.handlesInterrupts ? 'interrupted' : undefined;
}
