import { nameBytes } from './event-shapes.ts';
import { Samples } from './samples.ts';

/** Tasks beyond this number share one row: a hostile file can have millions of pids. */
const tasksMost = 8192;

/** `pid` of the row for all tasks beyond the limit; no event has it. */
const othersPid = Number.NaN;

/** The event that reported a wakeup after which the task has not been switched in yet; `no` if there is none. */
export type Woken = 'no' | 'waking' | 'wakeup';

/** The name of a task, as events give it. */
export class TaskName {
  /** Last name seen in an event; empty if none was. */
  name = '';
  readonly #words = new Int32Array(nameBytes / 4);

  /** Sets the name from an offset in a record's page; cheap if it has not changed. */
  rename(view: DataView, at: number): void {
    const words = this.#words;
    if (
      view.getInt32(at, true) === words[0] &&
      view.getInt32(at + 4, true) === words[1] &&
      view.getInt32(at + 8, true) === words[2] &&
      view.getInt32(at + 12, true) === words[3]
    )
      return;
    for (let index = 0; index < words.length; index++) words[index] = view.getInt32(at + index * 4, true);
    this.name = nameAt(view, at);
  }
}

/** The figures of one task. Times are nanoseconds since the first event. */
export class Task extends TaskName {
  readonly pid: number;
  runNs = 0;
  voluntary = 0;
  involuntary = 0;
  readonly latency = new Samples();
  /** The CPU that it runs on; -1 if none or unknown. */
  onCpu = -1;
  woken: Woken = 'no';
  wokenAt = 0;
  /** The switch after the longest wait: time, CPU, and the task that ran before. */
  worstAt = 0;
  worstCpu = -1;
  worstAfterPid = 0;
  worstAfter = '';

  constructor(pid: number) {
    super();
    this.pid = pid;
  }
}

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

/** A task's name up to its first NUL. */
export function nameAt(view: DataView, at: number): string {
  const bytes = new Uint8Array(view.buffer, view.byteOffset + at, nameBytes);
  const end = bytes.indexOf(0);
  return utf8.decode(end < 0 ? bytes : bytes.subarray(0, end));
}

/** Limits the total number of tasks over all buffers of a trace. */
export class TaskBudget {
  #left = tasksMost;

  take(): boolean {
    if (this.#left === 0) return false;
    this.#left--;
    return true;
  }
}

/** All tasks of a buffer by pid. */
export class Tasks {
  /** All CPUs' idle tasks, pid 0. */
  readonly idle = new Task(0);
  /** Sum of all tasks beyond the limit; their wakeups are not tracked. */
  readonly others = new Task(othersPid);
  readonly #byPid = new Map<number, Task>([[0, this.idle]]);
  readonly #budget: TaskBudget;
  /** The task of the last lookup: consecutive events often have the same task. */
  #last = this.idle;

  constructor(budget: TaskBudget) {
    this.#budget = budget;
  }

  of(pid: number): Task {
    if (this.#last.pid === pid) return this.#last;
    let task = this.#byPid.get(pid);
    if (task === undefined) {
      if (!this.#budget.take()) return this.others;
      task = new Task(pid);
      this.#byPid.set(pid, task);
    }
    this.#last = task;
    return task;
  }

  /** All tasks except `idle` and `others`. */
  *all(): Generator<Task, void, undefined> {
    for (const task of this.#byPid.values()) if (task !== this.idle) yield task;
  }
}
