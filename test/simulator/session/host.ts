import type { Random } from '../random.ts';
import { Cpu } from './cpu.ts';
import type { EventQueue } from './event-queue.ts';
import type { Frame } from './frame.ts';
import { exits } from './exit-reasons.ts';
import { LoopTask } from './loop-task.ts';
import { Machine, sleeping } from './machine.ts';
import type { HostOptions } from './options.ts';
import { fifoPrio, Task } from './task.ts';
import type { TraceWriter } from './trace/trace-writer.ts';
import { Vcpu } from './vcpu.ts';

const devices = [
  { number: 27, name: 'nvme0q1' },
  { number: 131, name: 'eth0-rx-0' },
  { number: 16, name: 'ehci_hcd:usb1' },
];
export const softirqs = [
  { number: 1, name: 'TIMER' },
  { number: 3, name: 'NET_RX' },
  { number: 7, name: 'SCHED' },
  { number: 9, name: 'RCU' },
];

/** A softirq of any kind. */
export function anySoftirq(machine: Machine, meanNs: number): Frame {
  return { ...machine.random.choice(softirqs), kind: 'softirq', leftNs: machine.about(meanNs) + 300 };
}

/** A thread that does what others give it, such as QEMU's main loop. */
export class Worker extends Task {
  readonly #host: Host;
  readonly #jobs: ((cpu: Cpu) => void)[] = [];

  constructor(host: Host, tid: number, comm: string) {
    super(tid, comm);
    this.#host = host;
    this.leftNs = 1500;
  }

  add(job: (cpu: Cpu) => void, by: Cpu): void {
    this.#jobs.push(job);
    this.#host.wake(this, by);
  }

  override act(): void {
    const cpu = this.#host.cpus[this.cpu]!;
    this.leftNs = this.#host.about(2000) + 800;
    const job = this.#jobs.shift();
    if (job !== undefined) job(cpu);
    else cpu.schedule(sleeping);
  }
}

/** The host: its CPUs, its own tasks, and its interrupts. */
export class Host extends Machine {
  readonly #options: HostOptions;
  readonly #sleepers: Task[] = [];

  constructor(options: HostOptions, queue: EventQueue, random: Random, trace: TraceWriter) {
    super('host', queue, random, trace);
    this.#options = options;
    for (let index = 0; index < options.cpus; index++)
      this.cpus.push(new Cpu(this, index, new Task(0, `swapper/${index}`)));
    for (const cpu of this.cpus) cpu.resume();
    this.#addTasks();
    if (options.irqEveryNs < Infinity) for (const cpu of this.cpus) this.#nextIrq(cpu);
    if (options.balanceEveryNs < Infinity) this.#nextBalance();
  }

  override wakeLater(task: Task, _cpu: Cpu, ns: number): void {
    const due = this.queue.now + ns;
    this.queue.at(due, () =>
      this.timerInterrupt(this.cpus[task.cpu]!, (cpu) => this.expired(task, cpu, due)),
    );
  }

  /** The timer's interrupt, which is not recorded: ends guest code, and takes no time of its own. */
  timerInterrupt(cpu: Cpu, run: (cpu: Cpu) => void): void {
    const { current } = cpu;
    if (current instanceof Vcpu && current.runsGuest && current.hasExits)
      current.exit(exits.EXTERNAL_INTERRUPT, this.about(1000) + 300);
    run(cpu);
  }

  /** Adds a thread that begins to run when it is woken. */
  addThread(task: Task, cpu = this.random.below(this.cpus.length)): void {
    task.cpu = cpu;
    this.tasks.push(task);
  }

  /** Keeps a thread from running for some time. */
  throttle(task: Task, ns: number): void {
    const cpu = this.cpus[task.cpu]!;
    task.isThrottled = true;
    const index = cpu.ready.indexOf(task);
    if (index >= 0) cpu.ready.splice(index, 1);
    else if (cpu.current === task) cpu.reschedule(500);
    this.queue.after(ns, () => {
      task.isThrottled = false;
      // it may sleep, or not have been switched out yet
      const own = this.cpus[task.cpu]!;
      if (task.state === 'ready' && !own.ready.includes(task)) this.enqueue(task, own);
    });
  }

  #addTasks(): void {
    const { tasks, hogs, pinned } = this.#options;
    for (let index = 0; index < tasks + hogs; index++) {
      const isHog = index >= tasks;
      const isSleeper = !isHog && this.random.chance(0.3);
      const task = new LoopTask(this, 500 + index, isHog ? `hog-${index}` : `task-${index}`, {
        ...(isHog && { prio: fifoPrio }),
        runNs: isHog ? 1.5e6 : this.random.between(2e4, 1e6),
        sleepNs: isSleeper ? undefined : isHog ? 4e6 : this.random.between(2e5, 3e6),
        isPeriodic: this.random.chance(0.2),
      });
      this.addThread(task);
      if (this.random.chance(pinned)) task.pinnedTo = task.cpu;
      if (isSleeper) this.#sleepers.push(task);
      this.queue.after(this.about(5e5), () => this.wake(task, this.cpus[task.cpu]!));
    }
  }

  #nextIrq(cpu: Cpu): void {
    this.queue.after(this.about(this.#options.irqEveryNs), () => {
      this.#nextIrq(cpu);
      // a CPU handles one at a time
      if (cpu.frames.some(({ kind }) => kind === 'irq')) return;
      const device = this.random.choice(devices);
      cpu.interrupt({
        ...device,
        kind: 'irq',
        leftNs: this.about(4000) + 300,
        end: () => this.#afterIrq(cpu),
      });
    });
  }

  #afterIrq(cpu: Cpu): void {
    const task = this.#sleepers[this.random.below(2 * this.#sleepers.length)];
    if (task !== undefined) this.wake(task, cpu);
    if (!cpu.isInInterrupt && this.random.chance(0.6)) cpu.interrupt(anySoftirq(this, 8000));
  }

  #nextBalance(): void {
    this.queue.after(this.about(this.#options.balanceEveryNs), () => {
      this.#nextBalance();
      const from = this.random.choice(this.cpus);
      const dest = this.random.choice(this.cpus);
      const task = from.ready.find((task) => task.mayRunOn(dest.index));
      if (task !== undefined && from !== dest) this.balance(task, dest);
    });
  }
}
