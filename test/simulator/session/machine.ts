import type { Random } from '../random.ts';
import type { Cpu, Kernel } from './cpu.ts';
import type { EventQueue } from './event-queue.ts';
import type { Task } from './task.ts';
import type { TraceWriter } from './trace/trace-writer.ts';
import type { EndedWait } from './truth.ts';

/** TASK_INTERRUPTIBLE, and what `sched_switch` says of a task that was preempted in the kernel. */
export const sleeping = 1n;
const preemptedInKernel = 0x100n;

/** A kernel with its CPUs and tasks: the host, or a guest. */
export abstract class Machine implements Kernel {
  readonly name: string;
  readonly queue: EventQueue;
  readonly random: Random;
  readonly trace: TraceWriter;
  readonly cpus: Cpu[] = [];
  readonly tasks: Task[] = [];
  /** Of a guest's tasks. */
  readonly waits: EndedWait[] = [];

  constructor(name: string, queue: EventQueue, random: Random, trace: TraceWriter) {
    this.name = name;
    this.queue = queue;
    this.random = random;
    this.trace = trace;
  }

  /** A whole number of nanoseconds around a mean. */
  about(meanNs: number): number {
    return Math.ceil(this.random.exponential(meanNs)) + 1;
  }

  /** Wakes a task after so many ns of this machine's clock. */
  abstract wakeLater(task: Task, cpu: Cpu, ns: number): void;

  exits(cpu: Cpu): void {
    cpu.exitLeftNs = Infinity;
  }

  /** A CPU that is to look at its tasks may have to be told. @param by the CPU that tells it */
  protected kick(_cpu: Cpu, _by: Cpu): void {}

  /** The task's timer, which was due at a time, has expired on the CPU `by`. */
  protected expired(task: Task, by: Cpu, due: number): void {
    if (task.state === 'asleep') this.wake(task, by, due);
    else task.mustNotSleep = true;
  }

  /** A sleeping task becomes runnable, by what happens on the CPU `by`. @param due when it should have been woken */
  wake(task: Task, by: Cpu, due?: number): void {
    if (task.state !== 'asleep') return;
    this.trace.waking(by, task);
    this.waitBegins(task, by, due);
    const dest = this.#choose(task);
    if (dest !== task.cpu) this.#move(task, dest, by);
    task.state = 'ready';
    task.isWoken = true;
    this.enqueue(task, by);
    task.noteState();
  }

  /** Lets a runnable task wait for its CPU. */
  enqueue(task: Task, by: Cpu): void {
    const cpu = this.cpus[task.cpu]!;
    const { current, ready } = cpu;
    ready.push(task);
    const isBetter = task.prio < current.prio || (task.prio === current.prio && this.random.chance(0.3));
    const preempts = current.isIdle || (!current.isFifo && isBetter);
    // without one it must learn that a slice has to end
    cpu.reschedule(preempts ? 300 + this.about(1000) : Infinity);
    if (preempts && cpu !== by) this.kick(cpu, by);
  }

  /** Moves a task that waits for one CPU to another one. */
  balance(task: Task, dest: Cpu): void {
    const { ready } = this.cpus[task.cpu]!;
    const index = ready.indexOf(task);
    if (index < 0) return;
    ready.splice(index, 1);
    this.#move(task, dest.index, dest);
    this.enqueue(task, dest);
    task.noteState();
  }

  pull(cpu: Cpu): void {
    if (!this.random.chance(0.5)) return;
    for (const other of this.cpus) {
      const task = other === cpu ? undefined : other.ready.find((task) => task.mayRunOn(cpu.index));
      if (task === undefined) continue;
      other.ready.splice(other.ready.indexOf(task), 1);
      this.#move(task, cpu.index, cpu);
      cpu.ready.push(task);
      task.noteState();
      return;
    }
  }

  switched(cpu: Cpu, prev: Task, prevState: bigint | undefined, next: Task): void {
    const isPreempted = prevState === undefined && !prev.isIdle;
    const state = prevState ?? (isPreempted && this.random.chance(0.5) ? preemptedInKernel : 0n);
    this.trace.switched(cpu, prev, state, next);
    if (isPreempted) this.waitBegins(prev, undefined, undefined);
    this.waitEnds(next);
  }

  /** @param by the CPU on which it was woken, undefined if it was preempted */
  protected waitBegins(_task: Task, _by: Cpu | undefined, _due: number | undefined): void {}
  protected waitMoves(_task: Task, _cpu: number): void {}
  protected waitEnds(_task: Task): void {}

  #choose(task: Task): number {
    const own = this.cpus[task.cpu]!;
    if (own.isIdle || task.pinnedTo !== undefined) return task.cpu;
    const idle = this.cpus.filter((cpu) => cpu.isIdle && task.mayRunOn(cpu.index));
    return idle.length > 0 && this.random.chance(0.7)
      ? idle[this.random.below(idle.length)]!.index
      : task.cpu;
  }

  #move(task: Task, dest: number, by: Cpu): void {
    this.trace.migrated(by, task, dest);
    task.cpu = dest;
    this.waitMoves(task, dest);
  }
}
