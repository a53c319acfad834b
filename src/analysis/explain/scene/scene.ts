import { Entities } from './entities.ts';
import { Present } from './present.ts';
import { type Cpu, type ExplainedTask, MachineState, Vcpu } from './state.ts';
import { Thieves } from './thieves.ts';
import { type Pause, Vcpus } from './vcpus.ts';
import { type WaitChoice, Waits } from './waits.ts';

/**
 * A task may still be named by events just after its own switch-out (the kernel sets `current` later), and just before
 * its waking (the waker waits until it has left the CPU).
 */
const switchingNs = 20_000;
/** A wait moves between CPUs this often; then its way is not followed any more. */
const mostPieces = 256;

/** Gets a cause of a guest's CPU: its code, its entity, and when it holds. */
export type CauseTaker = (cpu: Cpu, code: number, entity: number, from: number, to: number) => void;

/** Told of a CPU whose current task, interrupts or loss of events have changed. */
export type CpuWatcher = (cpu: Cpu) => void;

/**
 * The host, its guests, and what each of their CPUs does, moved from event to event. For each guest CPU it keeps a
 * timeline of causes; waits are cut out of it when they end.
 *
 * Times are numbers and must not decrease. For each event call `begin`, then what the event says, then `ahead` with the
 * CPU's next event: so it is known in time which events were lost, and which switches were not recorded.
 */
export class Scene {
  readonly entities = new Entities();
  readonly waits: Waits;
  readonly thieves: Thieves;
  /** Events of guests whose vCPU's state was known, and those of them while it did not run. */
  readonly checks = new Map<MachineState, { samples: number; violations: number }>();
  /** Waits whose end was in events that were lost. */
  waitsInLoss = 0;
  readonly #guests: MachineState[] = [];
  readonly #present: Present;
  readonly #vcpus: Vcpus;
  readonly #onCause: CauseTaker | undefined;
  readonly #onCpu: CpuWatcher | undefined;

  /**
   * @param onCause gets each cause of a vCPU when it does not change any more
   * @param onCpu is called for each CPU of the host and of guests when what it does changes, at `now`
   */
  constructor(choice: WaitChoice, pauses: readonly Pause[] = [], onCause?: CauseTaker, onCpu?: CpuWatcher) {
    this.#onCause = onCause;
    this.#onCpu = onCpu;
    this.waits = new Waits(choice, this.entities);
    this.thieves = new Thieves(choice.from, choice.to);
    this.#present = new Present(this.entities, this.waits, this.thieves);
    this.#vcpus = new Vcpus(this.#present, pauses);
  }

  get now(): number {
    return this.#present.now;
  }

  host(): MachineState {
    return new MachineState('host', true, this.entities);
  }

  /**
   * @param host undefined if it is not traced
   * @param vcpuTids the host's thread of each vCPU, as far as they are known
   */
  guest(name: string, host?: MachineState, vcpuTids: ReadonlyMap<number, number> = new Map()): MachineState {
    const machine = new MachineState(name, false, this.entities);
    this.#guests.push(machine);
    this.checks.set(machine, { samples: 0, violations: 0 });
    for (const [number, tid] of host === undefined ? [] : vcpuTids) {
      const vcpu = new Vcpu(machine.cpu(number), host!.task(tid), this.#present.causes.why.notYet);
      vcpu.thread.vcpu = vcpu;
      vcpu.guestCpu.vcpu = vcpu;
      if (this.#onCause !== undefined)
        vcpu.guestCpu.timeline.onFinal = this.#onCause.bind(undefined, vcpu.guestCpu);
      machine.vcpus.push(vcpu);
      this.#vcpus.all.push(vcpu);
    }
    return machine;
  }

  /** An event of a CPU. `tid`: the task that is current. */
  begin(cpu: Cpu, time: number, tid: number): void {
    if (time > this.now) {
      this.#vcpus.forgetSleep();
      this.waits.settle(time);
      this.#vcpus.pauseUntil(time);
      this.#present.now = time;
    }
    const { now } = this;
    cpu.lastAt = now;
    if (cpu.isLosing) this.#endLoss(cpu, tid);
    else if (tid !== cpu.currentTid || cpu.current === undefined) {
      const task = cpu.machine.task(tid);
      if (cpu.current === undefined) this.#setCurrent(cpu, tid, task, false, undefined);
      else if (cpu.expected !== undefined) this.#setCurrent(cpu, tid, task, true, undefined);
    }
    cpu.expected = undefined;
    const { vcpu } = cpu;
    if (vcpu === undefined || vcpu.state === 'unknown') return;
    const checks = this.checks.get(cpu.machine)!;
    checks.samples++;
    if (vcpu.state !== 'on') checks.violations++;
  }

  /**
   * The next event of a CPU; nothing has happened since its last one.
   * @param tid the task that is current then
   * @param mayBeLate whether it may happen within a switch, and so still name the task that was switched out
   */
  ahead(cpu: Cpu, time: number, tid: number, isLost: boolean, mayBeLate: boolean): void {
    if (isLost) {
      if (!cpu.isLosing) this.#beginLoss(cpu);
      return;
    }
    if (tid === cpu.currentTid || cpu.current === undefined) return;
    const task = cpu.machine.task(tid);
    const isLate = task === cpu.previous && time - cpu.switchedAt < switchingNs;
    if (isLate && mayBeLate && task.readyAt < cpu.switchedAt) return;
    cpu.expected = task;
    if (task.readyCpu === cpu.number && task.readyAt >= cpu.switchedAt)
      this.#setCurrent(cpu, tid, task, true, undefined);
  }

  /** sched_switch. */
  switched(cpu: Cpu, prev: number, isRunnable: boolean, next: number): void {
    const { machine } = cpu;
    if (cpu.currentTid !== prev) this.#setCurrent(cpu, prev, machine.task(prev), true, undefined);
    cpu.interrupts.clear();
    this.#setCurrent(cpu, next, machine.task(next), false, isRunnable);
  }

  /**
   * sched_waking; or sched_wakeup, which counts only if the waking was not seen.
   * @param due when the timer was due whose handler does it; NaN if there is none
   * @param by the CPU on which it happens
   */
  woken(task: ExplainedTask, target: number, by: Cpu, due: number, isWaking: boolean): void {
    const { now } = this;
    const { machine, vcpu } = task;
    if (task.onCpu !== undefined) {
      const isLate = vcpu !== undefined && this.#vcpus.wakesLate(vcpu);
      if (isWaking && !isLate) task.wokenOnCpuAt = now;
      return;
    }
    const isQueued = vcpu === undefined ? task.wait !== undefined : vcpu.cpu !== undefined;
    if (isQueued && !isWaking) {
      if (task.readyCpu !== target) this.migrated(task, target);
      return;
    }
    const isStillWaiting = task.wait !== undefined && task.wait.due > machine.lostAt;
    // it was about to sleep when it was preempted
    if (isStillWaiting || vcpu?.state === 'preempted') return;
    task.readyAt = now;
    task.readyCpu = target;
    const cpu = machine.cpu(target);
    if (vcpu !== undefined) this.#vcpus.queue(vcpu, 'woken', cpu);
    if (!machine.isHost && task.tid > 0) {
      // it has run meanwhile, in events that were lost
      if (task.wait !== undefined) this.waitsInLoss++;
      const isDue = due <= now;
      const isElsewhere = isDue && by !== cpu;
      task.wait = {
        kind: 'wakeup',
        due: isDue ? due : now,
        isDue,
        cpu,
        since: isElsewhere || !isDue ? now : due,
        earlier: isElsewhere ? [{ cpu: by, from: due, to: now }] : undefined,
      };
    }
    if (cpu.expected === task) this.#setCurrent(cpu, task.tid, task, true, undefined);
  }

  /** sched_migrate_task. */
  migrated(task: ExplainedTask, target: number): void {
    const { now } = this;
    const { machine, vcpu, wait } = task;
    if (task.onCpu !== undefined) return;
    const cpu = machine.cpu(target);
    task.readyAt = now;
    task.readyCpu = target;
    if (vcpu?.state === 'preempted' || vcpu?.state === 'woken') this.#vcpus.queue(vcpu, vcpu.state, cpu);
    if (wait !== undefined && wait.cpu !== cpu && (wait.earlier?.length ?? 0) < mostPieces) {
      (wait.earlier ??= []).push({ cpu: wait.cpu, from: wait.since, to: now });
      wait.cpu = cpu;
      wait.since = now;
    }
    if (cpu.expected === task) this.#setCurrent(cpu, task.tid, task, true, undefined);
  }

  interruptBegins(cpu: Cpu, entity: number, number: number, isIrq: boolean): void {
    cpu.interrupts.enter(entity, number, isIrq);
    this.#interrupted(cpu);
  }

  interruptEnds(cpu: Cpu, number: number, isIrq: boolean): void {
    cpu.interrupts.leave(number, isIrq);
    this.#interrupted(cpu);
  }

  /** kvm_exit, or kvm_entry if `exitEntity` is undefined. */
  exited(cpu: Cpu, exitEntity: number | undefined): void {
    const vcpu = cpu.current?.vcpu;
    if (vcpu === undefined) return;
    vcpu.inHypervisor = exitEntity !== undefined;
    vcpu.exitEntity = exitEntity ?? 0;
    const { machine } = vcpu.guestCpu;
    const isFirst = !machine.hasKvm;
    machine.hasKvm = true;
    for (const each of isFirst ? machine.vcpus : [vcpu]) this.#present.refresh(each.guestCpu);
  }

  /** The end of the trace: waits that go on are cut off. */
  end(): void {
    this.#vcpus.forgetSleep();
    for (const machine of this.#guests) {
      for (const task of machine.tasks())
        if (task.wait !== undefined) this.waits.end(task.wait, task, this.now, false);
      for (const cpu of machine.cpus) if (cpu !== undefined) this.#present.end(cpu);
    }
    this.waits.settle(Infinity);
  }

  /** After the end: gives out the causes that are kept, vCPU by vCPU. */
  *lastCauses(): Generator<void> {
    for (const { vcpus } of this.#guests)
      for (const { guestCpu } of vcpus) {
        guestCpu.timeline.finish(this.now);
        yield;
      }
  }

  #setCurrent(
    cpu: Cpu,
    tid: number,
    task: ExplainedTask,
    isInferred: boolean,
    wasRunnable: boolean | undefined,
  ): void {
    const { now } = this;
    const { machine, current: before } = cpu;
    cpu.current = task;
    cpu.currentTid = tid;
    cpu.isInferred = isInferred;
    cpu.switchedAt = now;
    cpu.expected = undefined;
    if (before === task) return;
    this.#onCpu?.(cpu);
    cpu.previous = before;
    if (before?.onCpu === cpu) this.#leave(before, cpu, wasRunnable);
    if (task.tid > 0) {
      // it cannot be on two CPUs: its switch-out there was not recorded
      if (task.onCpu !== undefined && task.onCpu !== cpu)
        this.#forgetCurrent(task.onCpu, this.#present.causes.why.missed);
      task.onCpu = cpu;
      if (task.vcpu !== undefined) this.#vcpus.run(task.vcpu, cpu);
      if (task.wait !== undefined) {
        // it was moved, and that was not recorded
        task.wait.isLost = task.wait.cpu !== cpu;
        task.wait.cpu = cpu;
        this.waits.end(task.wait, task, now);
        task.wait = undefined;
      }
    }
    if (!machine.isHost) return this.#guestChanged(cpu);
    if (before?.vcpu !== undefined) this.#present.refresh(before.vcpu.guestCpu);
    if (task.vcpu !== undefined) this.#present.refresh(task.vcpu.guestCpu);
    for (const vcpu of cpu.queued) this.#present.refresh(vcpu.guestCpu);
  }

  /** @param wasRunnable undefined if its switch-out was not recorded */
  #leave(task: ExplainedTask, cpu: Cpu, wasRunnable: boolean | undefined): void {
    const { now } = this;
    const { vcpu, machine } = task;
    task.onCpu = undefined;
    const isWoken = now - task.wokenOnCpuAt <= switchingNs;
    task.wokenOnCpuAt = -Infinity;
    if (isWoken) task.readyAt = now;
    if (wasRunnable === true || isWoken) task.readyCpu = cpu.number;
    if (vcpu !== undefined) {
      if (wasRunnable === undefined) this.#vcpus.lose(vcpu, this.#present.causes.why.missed);
      else if (wasRunnable || isWoken) this.#vcpus.queue(vcpu, wasRunnable ? 'preempted' : 'woken', cpu);
      else this.#vcpus.unqueue(vcpu, 'asleep');
    }
    if (machine.isHost || task.tid === 0 || wasRunnable === undefined) return;
    if (wasRunnable || isWoken)
      task.wait = {
        kind: wasRunnable ? 'preempted' : 'wakeup',
        due: now,
        isDue: false,
        cpu,
        since: now,
        earlier: undefined,
      };
  }

  #forgetCurrent(cpu: Cpu, why: number): void {
    const { current } = cpu;
    cpu.current = undefined;
    cpu.currentTid = -1;
    cpu.previous = undefined;
    cpu.expected = undefined;
    cpu.interrupts.clear();
    if (current?.onCpu === cpu) {
      current.onCpu = undefined;
      if (current.vcpu !== undefined) this.#vcpus.lose(current.vcpu, why);
    }
    this.#onCpu?.(cpu);
    if (!cpu.machine.isHost) return this.#guestChanged(cpu);
    for (const vcpu of cpu.queued) this.#present.refresh(vcpu.guestCpu);
  }

  /** Events of a CPU were lost from now on. */
  #beginLoss(cpu: Cpu): void {
    cpu.isLosing = true;
    cpu.machine.losing++;
    cpu.machine.lostAt = this.now;
    this.#forgetCurrent(cpu, this.#present.causes.why.lost);
    if (!cpu.machine.isHost) return;
    this.#vcpus.doubt();
  }

  #endLoss(cpu: Cpu, tid: number): void {
    const { machine } = cpu;
    cpu.isLosing = false;
    machine.losing--;
    machine.lostAt = this.now;
    const task = machine.task(tid);
    if (!machine.isHost && task.wait !== undefined) {
      task.wait = undefined;
      this.waitsInLoss++;
    }
    if (task.vcpu !== undefined) {
      task.vcpu.inHypervisor = undefined;
      task.vcpu.whyUnknown = this.#present.causes.why.lost;
    }
    this.#setCurrent(cpu, tid, task, false, undefined);
    if (machine.isHost) this.#vcpus.doubt();
  }

  #interrupted(cpu: Cpu): void {
    this.#onCpu?.(cpu);
    if (!cpu.machine.isHost) this.#present.refresh(cpu);
    else if (cpu.current?.vcpu !== undefined) this.#present.refresh(cpu.current.vcpu.guestCpu);
  }

  /** A guest's CPU runs another task: also a cause for vCPUs of other guests that wait behind it. */
  #guestChanged(cpu: Cpu): void {
    this.#present.refresh(cpu);
    this.#present.followTheft(cpu);
    if (cpu.vcpu?.state !== 'on') return;
    for (const vcpu of cpu.vcpu.cpu!.queued) this.#present.refresh(vcpu.guestCpu);
  }
}
