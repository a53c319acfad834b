import { isOff, kind, kindOf } from './causes.ts';
import type { Present } from './present.ts';
import type { Cpu, Vcpu } from './state.ts';

/** A time in which a guest was paused, on the host's clock. */
export interface Pause {
  readonly machine: string;
  readonly from: number;
  readonly to: number;
}

/** What the host does with the threads of vCPUs. */
export class Vcpus {
  readonly all: Vcpu[] = [];
  readonly #present: Present;
  /** The earliest last. */
  readonly #pauses: { readonly at: number; readonly machine: string; readonly isPaused: boolean }[];
  /** vCPUs that run since now, though they were asleep: since when. */
  readonly #notWoken = new Map<Vcpu, number>();

  constructor(present: Present, pauses: readonly Pause[]) {
    this.#present = present;
    this.#pauses = pauses
      .flatMap(({ machine, from, to }) => [
        { at: from, machine, isPaused: true },
        { at: to, machine, isPaused: false },
      ])
      .sort((a, b) => b.at - a.at);
  }

  queue(vcpu: Vcpu, state: 'preempted' | 'woken', cpu: Cpu): void {
    this.unqueue(vcpu, state);
    vcpu.cpu = cpu;
    cpu.queued.push(vcpu);
    this.#present.refresh(vcpu.guestCpu);
  }

  run(vcpu: Vcpu, cpu: Cpu): void {
    if (vcpu.cpu !== undefined && vcpu.cpu !== cpu && vcpu.state !== 'unknown') {
      // it was moved, nobody knows when
      const isQueued = (code: number): boolean => isOff(kindOf(code));
      vcpu.guestCpu.timeline.replace(vcpu.since, isQueued, kind.unknown, this.#present.causes.why.missed);
    }
    // it was woken, nobody knows when, unless that is recorded with the same time
    if (vcpu.state === 'asleep') this.#notWoken.set(vcpu, Math.max(vcpu.since, this.#doubtOf(vcpu)));
    this.unqueue(vcpu, 'on');
    vcpu.cpu = cpu;
  }

  /** Since when a vCPU that is asleep may have been woken, in events that were lost. */
  #doubtOf({ doubtSince }: Vcpu): number {
    return doubtSince <= this.#present.now ? doubtSince : -Infinity;
  }

  /** Threads ran that had been asleep, and no waking was seen. */
  forgetSleep(): void {
    if (this.#notWoken.size === 0) return;
    const isAsleep = (code: number): boolean => kindOf(code) === kind.asleep;
    for (const [{ guestCpu }, since] of this.#notWoken)
      guestCpu.timeline.replace(since, isAsleep, kind.unknown, this.#present.causes.why.noWaking);
    this.#notWoken.clear();
  }

  /** Whether a vCPU that runs was asleep until now; its waking is seen late. */
  wakesLate(vcpu: Vcpu): boolean {
    return this.#notWoken.delete(vcpu);
  }

  unqueue(vcpu: Vcpu, state: Vcpu['state']): void {
    if (vcpu.cpu !== undefined && vcpu.state !== 'on') {
      const { queued } = vcpu.cpu;
      queued.splice(queued.indexOf(vcpu), 1);
    }
    vcpu.cpu = undefined;
    vcpu.state = state;
    vcpu.since = this.#present.now;
    vcpu.doubtSince = Infinity;
    if (state === 'asleep') this.#present.refresh(vcpu.guestCpu);
  }

  /** Nothing is known of a vCPU until an event names it. */
  lose(vcpu: Vcpu, why: number): void {
    this.unqueue(vcpu, 'unknown');
    vcpu.whyUnknown = why;
    vcpu.inHypervisor = undefined;
    this.#present.refresh(vcpu.guestCpu);
  }

  /** A queued vCPU may have run on the CPU whose events were lost, and one that is asleep may have been woken. */
  doubt(): void {
    const { now, causes } = this.#present;
    for (const vcpu of this.all) {
      if (vcpu.state === 'preempted' || vcpu.state === 'woken') this.lose(vcpu, causes.why.lost);
      if (vcpu.state !== 'asleep') continue;
      vcpu.inHypervisor = undefined;
      vcpu.whyUnknown = causes.why.lost;
      vcpu.doubtSince = Math.min(vcpu.doubtSince, now);
      this.#present.refresh(vcpu.guestCpu);
    }
  }

  /** Guests pause and go on, up to `time`. */
  pauseUntil(time: number): void {
    for (let next = this.#pauses.at(-1); next !== undefined && next.at <= time; next = this.#pauses.at(-1)) {
      this.#pauses.pop();
      this.#present.now = Math.max(this.#present.now, next.at);
      for (const vcpu of this.all)
        if (vcpu.guestCpu.machine.name === next.machine) {
          vcpu.isPaused = next.isPaused;
          this.#present.refresh(vcpu.guestCpu);
        }
    }
  }
}
