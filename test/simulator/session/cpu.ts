import type { EventQueue } from './event-queue.ts';
import { below, type Frame } from './frame.ts';
import type { Task } from './task.ts';
import type { TraceWriter } from './trace/trace-writer.ts';
import { CpuLog } from './truth.ts';

/** What a CPU needs of the kernel that it belongs to. */
export interface Kernel {
  readonly queue: EventQueue;
  readonly trace: TraceWriter;
  /** A CPU that has nothing to do may take a task of another one. */
  pull(cpu: Cpu): void;
  /** A guest's CPU leaves for the hypervisor. */
  exits(cpu: Cpu): void;
  /** Another task becomes the current one. @param prevState undefined if the previous one was preempted */
  switched(cpu: Cpu, prev: Task, prevState: bigint | undefined, next: Task): void;
}

const sliceNs = 3e6;

/** A CPU of the host, or of a guest: one of a guest works only while its vCPU runs guest code. */
export class Cpu {
  readonly machine: Kernel;
  readonly index: number;
  readonly idle: Task;
  readonly log: CpuLog;
  current: Task;
  /** Those that may run, besides the current one. */
  readonly ready: Task[] = [];
  readonly frames: Frame[] = [];
  /** Interrupts that come when it works again; only of a guest's CPU. */
  readonly pending: Frame[] = [];
  isWorking = false;
  /** Time to the next exit to the hypervisor; only of a guest's CPU. */
  exitLeftNs = Infinity;
  #rescheduleLeftNs = Infinity;
  #sliceLeftNs = sliceNs;
  #since = 0;
  /** Counts the plans: only the newest is valid. */
  #plan = 0;

  constructor(machine: Kernel, index: number, idle: Task) {
    this.machine = machine;
    this.index = index;
    this.idle = idle;
    this.idle.cpu = index;
    this.idle.state = 'running';
    this.current = this.idle;
    this.log = new CpuLog();
    this.note();
  }

  get mustReschedule(): boolean {
    return this.#rescheduleLeftNs < Infinity;
  }

  get isIdle(): boolean {
    return this.current.isIdle && this.ready.length === 0;
  }

  get isInInterrupt(): boolean {
    return this.frames.length > 0;
  }

  /** Begins to work, or goes on. @param lagNs how long nothing happens */
  resume(lagNs = 0): void {
    if (this.isWorking) return;
    this.isWorking = true;
    this.#since = this.machine.queue.now;
    this.#takePending();
    this.#arm(lagNs);
  }

  suspend(): void {
    if (!this.isWorking) return;
    this.#account();
    this.isWorking = false;
    this.#plan++;
  }

  /** Has the scheduler look for a better task soon. */
  reschedule(delayNs: number): void {
    this.#account();
    this.#rescheduleLeftNs = Math.min(this.#rescheduleLeftNs, delayNs);
    this.#arm();
  }

  /** Sets how long the current task still runs. */
  setLeft(task: Task, leftNs: number): void {
    this.#account();
    task.leftNs = leftNs;
    this.#arm();
  }

  /** Begins a handler at once. */
  interrupt(frame: Frame): void {
    this.#account();
    this.#push(frame);
    this.#arm();
  }

  /** The scheduler: gives the CPU to another task. @param prevState of `sched_switch`, undefined if preempted */
  schedule(prevState?: bigint): void {
    const { machine, current: prev } = this;
    this.#account();
    this.#rescheduleLeftNs = Infinity;
    this.#sliceLeftNs = sliceNs;
    const isPreempted = prevState === undefined && !prev.isIdle;
    if (isPreempted && !prev.isThrottled) {
      if (prev.isFifo) this.ready.unshift(prev);
      else this.ready.push(prev);
    }
    const next = this.#takeNext();
    if (next !== prev) {
      prev.stop();
      machine.switched(this, prev, prevState, next);
      if (!prev.isIdle) prev.state = isPreempted ? 'ready' : 'asleep';
      next.state = 'running';
      next.isWoken = false;
      next.cpu = this.index;
      this.current = next;
      this.note();
      prev.noteState();
      next.go();
    }
    this.#arm();
  }

  note(): void {
    const { frames, current } = this;
    let top: Frame | undefined;
    for (const frame of frames) if (frame.kind !== 'hidden') top = frame;
    this.log.set(this.machine.queue.now, current, top, below(frames));
  }

  #takeNext(): Task {
    const { ready } = this;
    if (ready.length === 0) this.machine.pull(this);
    if (ready.length === 0) return this.idle;
    let best = 0;
    for (let index = 1; index < ready.length; index++)
      if (ready[index]!.prio < ready[best]!.prio) best = index;
    return ready.splice(best, 1)[0]!;
  }

  #push(frame: Frame): void {
    if (!this.isInInterrupt) this.current.stop();
    if (frame.kind !== 'hidden') this.machine.trace.handler(this, frame, true);
    this.frames.push(frame);
    this.note();
    this.current.noteState();
  }

  #takePending(): void {
    if (this.isInInterrupt) return;
    const frame = this.pending.shift();
    if (frame !== undefined) this.#push(frame);
  }

  #account(): void {
    if (!this.isWorking) return;
    const { now } = this.machine.queue;
    const ns = now - this.#since;
    this.#since = now;
    if (ns === 0) return;
    const frame = this.frames.at(-1);
    this.exitLeftNs -= ns;
    if (frame !== undefined) {
      frame.leftNs -= ns;
      return;
    }
    this.current.leftNs -= ns;
    this.#rescheduleLeftNs -= ns;
    this.#sliceLeftNs -= ns;
  }

  #arm(lagNs = 0): void {
    if (!this.isWorking) return;
    const frame = this.frames.at(-1);
    let leftNs = frame?.leftNs ?? Math.min(this.current.leftNs, this.#rescheduleLeftNs);
    if (frame === undefined && this.ready.length > 0 && !this.current.isFifo)
      leftNs = Math.min(leftNs, this.#sliceLeftNs);
    leftNs = Math.max(lagNs, Math.min(leftNs, this.exitLeftNs));
    const plan = ++this.#plan;
    if (leftNs === Infinity) return;
    this.machine.queue.after(leftNs, () => {
      if (plan === this.#plan) this.#goOn();
    });
  }

  /** Something that was planned is due. */
  #goOn(): void {
    this.#account();
    const frame = this.frames.at(-1);
    if (this.exitLeftNs <= 0) this.machine.exits(this);
    else if (frame !== undefined) {
      if (frame.leftNs <= 0) this.#endFrame(frame);
    } else if (this.#rescheduleLeftNs <= 0) this.schedule();
    else if (this.current.leftNs <= 0) this.current.act();
    else if (this.#sliceLeftNs <= 0 && this.ready.length > 0) this.schedule();
    this.#arm();
  }

  #endFrame(frame: Frame): void {
    this.frames.pop();
    if (frame.kind !== 'hidden') this.machine.trace.handler(this, frame, false);
    this.note();
    this.current.noteState();
    frame.end?.();
    if (this.isInInterrupt || !this.isWorking) return;
    this.#takePending();
    if (!this.isInInterrupt) this.current.go();
  }
}
