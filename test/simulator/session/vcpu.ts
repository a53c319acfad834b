import type { Cpu } from './cpu.ts';
import { exits, type ExitReason } from './exit-reasons.ts';
import { below, type Frame } from './frame.ts';
import { type Machine, sleeping } from './machine.ts';
import { Task } from './task.ts';
import { VcpuLog } from './truth.ts';

/** How long after an entry, or an interrupt, nothing is recorded. */
const entryLagNs = 200;

/** What a virtual CPU needs of its guest. */
export interface VcpuGuest {
  readonly hasKvm: boolean;
  readonly isPaused: boolean;
  readonly cpus: readonly Cpu[];
  /** A CPU of the guest begins to work, or ceases to. @param lagNs how long nothing is recorded */
  resume(index: number, lagNs: number): void;
  suspend(index: number): void;
}

/** The host's thread that runs a virtual CPU. */
export class Vcpu extends Task {
  readonly log = new VcpuLog();
  readonly index: number;
  readonly #host: Machine;
  readonly #guest: VcpuGuest;
  #mode: 'guest' | 'outside' = 'outside';
  /** The guest's CPU executed HLT. */
  #isHalted = true;
  #sleeps: 'halted' | 'stopped' | 'input-output' = 'halted';
  #reason: ExitReason = exits.HLT;
  /** It waits for something else in the hypervisor before it goes on. */
  #mustWait = false;
  /** It is current on its host CPU, which handles no interrupt. */
  #executes = false;

  constructor(host: Machine, guest: VcpuGuest, index: number, tid: number) {
    super(tid, guest.hasKvm ? `CPU ${index}/KVM` : `CPU ${index}/TCG`);
    this.#host = host;
    this.#guest = guest;
    this.index = index;
    this.leftNs = 500;
  }

  get runsGuest(): boolean {
    return this.#mode === 'guest' && this.#executes;
  }

  /** Whether the host records when it leaves guest code. */
  get hasExits(): boolean {
    return this.#guest.hasKvm;
  }

  get hostCpu(): Cpu {
    return this.#host.cpus[this.cpu]!;
  }

  get #guestCpu(): Cpu {
    return this.#guest.cpus[this.index]!;
  }

  /** Time in the hypervisor is over. */
  override act(): void {
    if (this.#guest.isPaused) this.#sleep('stopped');
    else if (this.#mustWait) {
      this.#mustWait = false;
      this.#host.wakeLater(this, this.hostCpu, this.#host.about(50_000));
      this.#sleep('input-output');
    } else if (this.#isHalted && !this.#hasWork) this.#sleep('halted');
    else this.#enter();
  }

  override go(): void {
    this.#executes = true;
    this.noteState();
    const { hasKvm, isPaused } = this.#guest;
    if (hasKvm) return;
    if (this.#mode === 'guest' && isPaused) this.#leave();
    // without KVM nothing but HLT keeps a thread that is on a CPU from running guest code
    else if (this.#mode === 'guest') this.#guest.resume(this.index, entryLagNs);
    else if (!this.#isHalted && !isPaused) this.#enter();
  }

  override stop(): void {
    if (this.runsGuest) {
      this.#guest.suspend(this.index);
      if (this.#guest.hasKvm) this.#exit(exits.EXTERNAL_INTERRUPT);
    }
    this.#executes = false;
  }

  /** From guest code to the hypervisor, for some time. @param waits then sleeps until QEMU is ready */
  exit(reason: ExitReason, ns: number, waits = false): void {
    this.#guest.suspend(this.index);
    this.#exit(reason);
    this.#mustWait = waits;
    this.hostCpu.setLeft(this, ns);
    this.noteState();
  }

  /** The guest's CPU is idle. */
  halt(): void {
    this.#isHalted = true;
    if (this.#guest.hasKvm) this.exit(exits.HLT, this.#host.about(1500) + 300);
    else this.#leave();
  }

  /** An interrupt for the guest's CPU. @param by the host's CPU that sends it */
  inject(frame: Frame, by: Cpu): void {
    this.#guestCpu.pending.push(frame);
    if (!this.runsGuest) this.kick(by);
    else if (this.#guest.hasKvm) this.exit(exits.EXTERNAL_INTERRUPT, this.#host.about(800) + 300);
    else {
      this.#guest.suspend(this.index);
      this.#guest.resume(this.index, entryLagNs);
    }
  }

  /** There is something to do for the guest's CPU: wakes the thread if it sleeps because there was nothing. */
  kick(by: Cpu): void {
    if (this.state !== 'asleep' || this.#sleeps !== 'halted' || this.#guest.isPaused) return;
    this.#host.wake(this, by);
  }

  /** The guest was stopped by QMP. */
  pause(): void {
    this.noteState();
    if (!this.runsGuest) return;
    if (this.#guest.hasKvm) this.exit(exits.EXTERNAL_INTERRUPT, this.#host.about(500) + 200);
    else this.#leave();
  }

  unpause(by: Cpu): void {
    this.noteState();
    // as in `go`: it does not come back through the hypervisor
    if (this.#executes && !this.#guest.hasKvm && !this.#isHalted) this.#enter();
    if (this.state !== 'asleep') return;
    if (this.#sleeps === 'stopped') this.#host.wake(this, by);
    else if (this.#hasWork) this.kick(by);
  }

  override noteState(): void {
    const { now } = this.#host.queue;
    const { log, cpu } = this;
    if (this.#guest.isPaused) log.set(now, 'paused', cpu);
    else if (this.state === 'asleep') log.set(now, 'asleep', cpu);
    else if (this.state === 'ready') log.set(now, this.isWoken ? 'woken' : 'preempted', cpu);
    else {
      const frame = this.hostCpu.frames.at(-1);
      const exit = this.#mode === 'guest' || !this.#guest.hasKvm ? undefined : this.#reason;
      if (frame === undefined) log.set(now, exit === undefined ? 'guest' : 'hypervisor', cpu, exit);
      else {
        const state = frame.kind === 'irq' ? 'host-irq' : 'host-softirq';
        log.set(now, state, cpu, exit, frame, below(this.hostCpu.frames));
      }
    }
  }

  get #hasWork(): boolean {
    const { pending, mustReschedule } = this.#guestCpu;
    return pending.length > 0 || mustReschedule;
  }

  #exit(reason: ExitReason): void {
    this.#mode = 'outside';
    this.#reason = reason;
    this.leftNs = this.#host.about(500) + 200;
    this.#host.trace.kvmExit(this.hostCpu, this.index, reason.number);
  }

  /** What an exit is without KVM: nothing of it is recorded. */
  #leave(): void {
    this.#guest.suspend(this.index);
    this.#mode = 'outside';
    this.hostCpu.setLeft(this, this.#host.about(500) + 200);
  }

  #enter(): void {
    this.#mode = 'guest';
    this.#isHalted = false;
    this.hostCpu.setLeft(this, Infinity);
    if (this.#guest.hasKvm) this.#host.trace.kvmEntry(this.hostCpu, this.index);
    this.noteState();
    this.#guest.resume(this.index, entryLagNs);
  }

  #sleep(why: 'halted' | 'stopped' | 'input-output'): void {
    this.#sleeps = why;
    this.leftNs = this.#host.about(800) + 300;
    this.hostCpu.schedule(sleeping);
  }
}
