import { InterruptStack } from './interrupts.ts';
import { Samples } from './samples.ts';
import type { Task } from './tasks.ts';

/** Tracks the task that runs on one CPU. Times are nanoseconds since the first event of the buffer. */
export class CpuCounter {
  readonly cpu: number;
  events = 0;
  lost = 0n;
  uncountedLosses = 0;
  firstNs: number | undefined;
  busyNs = 0;
  idleNs = 0;
  voluntary = 0;
  involuntary = 0;
  readonly latency = new Samples();
  readonly interrupts = new InterruptStack();
  /** The running task; undefined before the first event and after a loss. */
  task: Task | undefined;
  /** The running task's pid; NaN if no task runs. `task.pid` is not enough: one Task may stand for several tasks. */
  pid = Number.NaN;
  /** Whether its switch-in was seen; otherwise it was already running at the first event. */
  wasSwitchedIn = false;
  #sinceNs = 0;

  constructor(cpu: number) {
    this.cpu = cpu;
  }

  run(task: Task, pid: number, now: number, wasSwitchedIn: boolean): void {
    this.wasSwitchedIn = wasSwitchedIn;
    this.task = task;
    this.pid = pid;
    this.#sinceNs = now;
    // a Task that several tasks share has no CPU: that of the idle tasks, and that of all tasks beyond the limit
    if (task.pid > 0) task.onCpu = this.cpu;
  }

  /** Counts the run of the task that leaves the CPU. @returns false if not counted because time went backwards */
  leave(now: number): boolean {
    const { task } = this;
    const ranNs = now - this.#sinceNs;
    this.forget();
    if (task === undefined || ranNs < 0) return false;
    task.runNs += ranNs;
    if (task.pid === 0) this.idleNs += ranNs;
    else this.busyNs += ranNs;
    return true;
  }

  forget(): void {
    if (this.task?.onCpu === this.cpu) this.task.onCpu = -1;
    this.task = undefined;
    this.pid = Number.NaN;
  }
}
