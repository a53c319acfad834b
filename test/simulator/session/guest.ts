import type { GuestClock } from '../guest-clock.ts';
import type { Random } from '../random.ts';
import { Cpu } from './cpu.ts';
import { exits } from './exit-reasons.ts';
import { type Frame, hidden, timerIrq } from './frame.ts';
import { anySoftirq, type Host, Worker } from './host.ts';
import { LoopTask } from './loop-task.ts';
import { Machine } from './machine.ts';
import type { GuestOptions } from './options.ts';
import { fifoPrio, Task } from './task.ts';
import type { Timer, TraceWriter } from './trace/trace-writer.ts';
import { Vcpu } from './vcpu.ts';

/** The guest's idle task: halts its CPU after a while. */
class GuestIdle extends Task {
  readonly #guest: Guest;

  constructor(guest: Guest, index: number) {
    super(0, `swapper/${index}`);
    this.#guest = guest;
    this.leftNs = 1000;
  }

  override go(): void {
    this.leftNs = this.#guest.about(1000) + 300;
  }

  override act(): void {
    this.go();
    if (!this.#guest.cpus[this.cpu]!.mustReschedule) this.#guest.vcpus[this.cpu]!.halt();
  }
}

/** What places a guest on its host. */
export interface GuestPlace {
  readonly host: Host;
  readonly options: GuestOptions;
  readonly clock: GuestClock;
  /** Ids of its QEMU, whose threads have the ids that follow. */
  readonly pid: number;
  /** What its CLOCK_MONOTONIC lacks of the clock of its trace, `boot`. */
  readonly suspendedNs: number;
}

/** A guest: its CPUs work only while their vCPUs run guest code. */
export class Guest extends Machine {
  readonly hasKvm: boolean;
  readonly pid: number;
  readonly clock: GuestClock;
  readonly vcpus: Vcpu[] = [];
  isPaused = false;
  readonly #host: Host;
  readonly #options: GuestOptions;
  /** The host's clock at the beginning, and the guest's CLOCK_MONOTONIC. */
  readonly #start: number;
  readonly #monotonicOrigin: number;
  readonly #qemu: Worker;
  readonly #sleepers: Task[] = [];
  /** Since when a CPU whose current task runs has not worked. */
  readonly #stolenSince: (number | undefined)[] = [];

  constructor({ host, options, clock, pid, suspendedNs }: GuestPlace, random: Random, trace: TraceWriter) {
    super(options.name, host.queue, random, trace);
    this.hasKvm = options.hasKvm;
    this.pid = pid;
    this.clock = clock;
    this.#start = Number(clock.hostOrigin);
    this.#monotonicOrigin = Number(clock.guestOrigin) - suspendedNs;
    this.#host = host;
    this.#options = options;
    this.#qemu = new Worker(host, pid, 'qemu-system-x86');
    host.addThread(this.#qemu);
    for (let index = 0; index < options.vcpus; index++) {
      const vcpu = new Vcpu(host, this, index, pid + 1 + index);
      host.addThread(vcpu);
      if (options.isPinned) vcpu.pinnedTo = vcpu.cpu;
      this.vcpus.push(vcpu);
      const cpu = new Cpu(this, index, new GuestIdle(this, index));
      if (this.hasKvm && options.exitEveryNs < Infinity) cpu.exitLeftNs = this.about(options.exitEveryNs);
      this.cpus.push(cpu);
    }
    for (const vcpu of this.vcpus) vcpu.noteState();
    this.#addTasks();
    this.#addEvents();
  }

  resume(index: number, lagNs: number): void {
    const cpu = this.cpus[index]!;
    const since = this.#stolenSince[index];
    this.#stolenSince[index] = undefined;
    const { now: end } = this.queue;
    const { tid, comm } = cpu.current;
    if (since !== undefined && since < end) {
      const places = [{ from: since, cpu: index }];
      this.waits.push({ kind: 'stolen', tid, comm, due: since, begin: since, isDue: false, places, end });
    }
    cpu.resume(lagNs);
  }

  suspend(index: number): void {
    const cpu = this.cpus[index]!;
    if (cpu.isWorking && !cpu.current.isIdle) this.#stolenSince[index] = this.#stolenFrom(cpu);
    cpu.suspend();
  }

  /** Since when the current task has not run, if its time is taken from now on. */
  #stolenFrom({ index, current: { tid } }: Cpu): number {
    const { now } = this.queue;
    const last = this.waits.findLastIndex(({ end }) => end < now) + 1;
    for (let at = last; at < this.waits.length; at++) {
      const { kind, due, places, ...wait } = this.waits[at]!;
      if (kind !== 'stolen' || wait.tid !== tid || places[0]!.cpu !== index) continue;
      // it ended just now: no time has passed
      this.waits.splice(at, 1);
      return due;
    }
    return now;
  }

  /** How far the guest's clock has gone. */
  get #clockNow(): number {
    return this.clock.since(this.queue.now - this.#start);
  }

  override wakeLater(task: Task, cpu: Cpu, ns: number): void {
    const expires = this.#clockNow + ns;
    const timer = {
      address: 0xffff_a000_0000_0000n + BigInt(task.tid) * 0x1000n,
      expires: this.#monotonicOrigin + expires,
    };
    this.trace.timerStart(cpu, timer);
    const due = this.#start + this.clock.hostSince(expires);
    this.queue.at(due, () => this.#fire(cpu.index, this.#expiry(cpu, timer, task, due)));
  }

  override exits(cpu: Cpu): void {
    cpu.exitLeftNs = this.about(this.#options.exitEveryNs);
    const vcpu = this.vcpus[cpu.index]!;
    if (this.random.chance(this.#options.slowExits))
      vcpu.exit(exits.IO_INSTRUCTION, this.about(8e4), this.random.chance(0.3));
    else
      vcpu.exit(
        this.random.choice([exits.CPUID, exits.EPT_VIOLATION, exits.EPT_MISCONFIG, exits.EXTERNAL_INTERRUPT]),
        this.about(1500) + 200,
      );
  }

  protected override kick(cpu: Cpu, by: Cpu): void {
    const sender = this.vcpus[by.index]!;
    if (this.hasKvm && sender.runsGuest) sender.exit(exits.MSR_WRITE, this.about(1000) + 300);
    this.vcpus[cpu.index]!.kick(sender.hostCpu);
  }

  protected override waitBegins(task: Task, by: Cpu | undefined, due: number | undefined): void {
    const { now } = this.queue;
    const { tid, comm, cpu } = task;
    // a timer is due on the CPU on which it expires
    const places = [{ from: due ?? now, cpu: due === undefined ? cpu : by!.index }];
    if (places[0]!.cpu !== cpu) places.push({ from: now, cpu });
    const kind = by === undefined ? 'preempted' : 'wakeup';
    task.wait = { kind, tid, comm, due: due ?? now, begin: now, isDue: due !== undefined, places };
  }

  protected override waitMoves(task: Task, cpu: number): void {
    const { wait } = task;
    if (wait !== undefined) task.wait = { ...wait, places: [...wait.places, { from: this.queue.now, cpu }] };
  }

  protected override waitEnds(task: Task): void {
    if (task.wait !== undefined) this.waits.push({ ...task.wait, end: this.queue.now });
    task.wait = undefined;
  }

  /** An interrupt that the host's timer sends. */
  #fire(index: number, frame: Frame): void {
    const vcpu = this.vcpus[index]!;
    const { hostCpu } = vcpu;
    this.#host.timerInterrupt(this.#options.timerByThread ? this.#qemuCpu : hostCpu, (cpu) => {
      if (this.#options.timerByThread) this.#qemu.add((by) => vcpu.inject(frame, by), cpu);
      else vcpu.inject(frame, cpu);
    });
  }

  get #qemuCpu(): Cpu {
    return this.#host.cpus[this.#qemu.cpu]!;
  }

  /** The timer's interrupt is no `irq_handler_entry`, but has its own event; a softirq may follow. */
  #expiry(cpu: Cpu, timer: Timer, task: Task, due: number): Frame {
    const exit = (): void => {
      this.trace.timerExit(cpu, timer);
      if (this.random.chance(0.3)) cpu.interrupt(anySoftirq(this, 4000));
    };
    const wake = (): void => {
      this.expired(task, cpu, due);
      cpu.interrupt(timerIrq('end', this.about(300) + 200, exit));
    };
    return timerIrq('begin', this.about(300) + 200, () => {
      // __run_hrtimer of hrtimer.c takes the timer out first
      this.trace.timerCancel(cpu, timer);
      this.trace.timerEntry(cpu, timer, this.#monotonicOrigin + this.#clockNow);
      cpu.interrupt(timerIrq('middle', this.about(300) + 200, wake));
    });
  }

  #addTasks(): void {
    const { tasks, hogs } = this.#options;
    for (let index = 0; index < tasks + hogs; index++) {
      const isHog = index >= tasks;
      const isSleeper = !isHog && this.random.chance(0.3);
      const wakes = this.random.chance(0.4) ? this.#sleepers.at(-1) : undefined;
      const task = new LoopTask(this, 300 + index, isHog ? `hog-${index}` : `work-${index}`, {
        ...(isHog && { prio: fifoPrio }),
        runNs: isHog ? 8e5 : this.random.between(1e4, 6e5),
        sleepNs: isSleeper ? undefined : isHog ? 5e6 : this.random.between(2e5, 4e6),
        isPeriodic: this.random.chance(0.4),
        ...(wakes && { wakes }),
      });
      task.cpu = this.random.below(this.cpus.length);
      if (this.random.chance(0.3)) task.pinnedTo = task.cpu;
      if (isSleeper) this.#sleepers.push(task);
      this.tasks.push(task);
      const cpu = this.cpus[task.cpu]!;
      this.queue.after(this.about(5e5), () =>
        this.#fire(
          cpu.index,
          hidden(500, () => this.wake(task, cpu)),
        ),
      );
    }
  }

  #addEvents(): void {
    const { irqEveryNs, throttle, pauses } = this.#options;
    if (irqEveryNs < Infinity) this.#nextIrq();
    if (throttle !== undefined) this.#nextThrottle(throttle);
    for (const { at, ns } of pauses) {
      this.queue.at(this.#start + at, () => this.#pause(true));
      this.queue.at(this.#start + at + ns, () => this.#pause(false));
    }
  }

  #pause(isPaused: boolean): void {
    this.isPaused = isPaused;
    for (const vcpu of this.vcpus)
      if (isPaused) vcpu.pause();
      else vcpu.unpause(this.#qemuCpu);
  }

  /** A device of QEMU has something for the guest. */
  #nextIrq(): void {
    this.queue.after(this.about(this.#options.irqEveryNs), () => {
      this.#nextIrq();
      const cpu = this.random.choice(this.cpus);
      const number = 24 + this.random.below(4);
      const end = (): void => {
        const task = this.#sleepers[this.random.below(2 * this.#sleepers.length)];
        if (task !== undefined) this.wake(task, cpu);
        if (cpu.isWorking && this.random.chance(0.5)) cpu.interrupt(anySoftirq(this, 6000));
      };
      const irq: Frame = {
        kind: 'irq',
        number,
        name: `virtio${number - 24}-input.0`,
        leftNs: this.about(3000) + 300,
        end,
      };
      const frame = hidden(this.about(300) + 200, () => cpu.interrupt(irq));
      this.#qemu.add((by) => this.vcpus[cpu.index]!.inject(frame, by), this.#qemuCpu);
    });
  }

  #nextThrottle(throttle: { readonly everyNs: number; readonly ns: number }): void {
    this.queue.after(throttle.ns + this.about(throttle.everyNs), () => {
      this.#nextThrottle(throttle);
      this.#host.throttle(this.random.choice(this.vcpus), throttle.ns);
    });
  }
}
