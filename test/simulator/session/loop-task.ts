import { type Machine, sleeping } from './machine.ts';
import { Task } from './task.ts';

export interface Habits {
  readonly prio?: number;
  /** Mean time that it runs. */
  readonly runNs: number;
  /** Time that it sleeps; undefined: until something else wakes it. */
  readonly sleepNs: number | undefined;
  /** It sleeps exactly so long each time, as a periodic task does. */
  readonly isPeriodic?: boolean;
  /** A task that it wakes now and then. */
  readonly wakes?: Task;
}

/** A task that runs, sleeps, and runs again. */
export class LoopTask extends Task {
  readonly #machine: Machine;
  readonly #habits: Habits;
  #next: 'wake' | 'arm' | 'block' = 'arm';

  constructor(machine: Machine, tid: number, comm: string, habits: Habits) {
    super(tid, comm, habits.prio);
    this.#machine = machine;
    this.#habits = habits;
    this.#run();
  }

  override act(): void {
    const { sleepNs, isPeriodic = false, wakes } = this.#habits;
    const machine = this.#machine;
    const cpu = machine.cpus[this.cpu]!;
    switch (this.#next) {
      case 'wake':
        this.#next = 'arm';
        this.leftNs = machine.about(2000) + 500;
        if (wakes !== undefined) machine.wake(wakes, cpu);
        return;
      case 'arm':
        this.#next = 'block';
        this.leftNs = machine.about(400) + 200;
        if (sleepNs !== undefined)
          machine.wakeLater(this, cpu, isPeriodic ? Math.round(sleepNs) : machine.about(sleepNs));
        return;
      case 'block':
        this.#run();
        if (this.mustNotSleep) this.mustNotSleep = false;
        else cpu.schedule(sleeping);
        return;
    }
  }

  #run(): void {
    const { runNs, wakes } = this.#habits;
    this.leftNs = this.#machine.about(runNs) + 200;
    this.#next = wakes !== undefined && this.#machine.random.chance(0.5) ? 'wake' : 'arm';
  }
}
