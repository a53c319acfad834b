import type { StolenNow } from './result.ts';

/** Pairs of a vCPU and a thief in one frame; time beyond them only counts for the vCPU. */
const mostPairs = 1024;

/** A vCPU of a guest. */
export interface VcpuPlace {
  readonly guest: string;
  readonly cpu: number;
}

export interface Thief {
  readonly pid: number;
  readonly name: string;
}

interface Waiting extends VcpuPlace {
  /** The host's CPU whose queue it is in; -1 if it runs or sleeps. */
  queue: number;
  since: number;
  readonly takenBy: Map<Thief, number>;
}

/** Counts who has the CPUs of the host while vCPUs wait for them. Times are ns, as the caller counts them. */
export class Stolen {
  readonly #vcpus = new Map<number, Waiting>();
  readonly #queues = new Map<number, Set<Waiting>>();
  #pairs = 0;

  /** Adds the thread of a vCPU; one that is known stays as it is. */
  add(tid: number, { guest, cpu }: VcpuPlace): void {
    if (!this.#vcpus.has(tid)) this.#vcpus.set(tid, { guest, cpu, queue: -1, since: 0, takenBy: new Map() });
  }

  get isEmpty(): boolean {
    return this.#vcpus.size === 0;
  }

  /** The thread became ready on a CPU of the host, or was moved to its queue while it waited. */
  ready(tid: number, cpu: number, now: number): void {
    const vcpu = this.#vcpus.get(tid);
    if (vcpu === undefined || vcpu.queue === cpu) return;
    this.#leave(vcpu);
    vcpu.queue = cpu;
    vcpu.since = now;
    let queue = this.#queues.get(cpu);
    if (queue === undefined) this.#queues.set(cpu, (queue = new Set()));
    queue.add(vcpu);
  }

  isWaiting(tid: number): boolean {
    return (this.#vcpus.get(tid)?.queue ?? -1) >= 0;
  }

  /** The thread runs. Call `charge` first. */
  runs(tid: number): void {
    const vcpu = this.#vcpus.get(tid);
    if (vcpu !== undefined) this.#leave(vcpu);
  }

  /** A CPU's task had it until now; undefined if that is unknown or the CPU was idle. */
  charge(cpu: number, task: Thief | undefined, now: number): void {
    for (const vcpu of this.#queues.get(cpu) ?? []) {
      const ns = now - vcpu.since;
      if (ns <= 0) continue;
      vcpu.since = now;
      if (task === undefined) continue;
      const before = vcpu.takenBy.get(task);
      if (before === undefined && this.#pairs >= mostPairs) continue;
      if (before === undefined) this.#pairs++;
      vcpu.takenBy.set(task, (before ?? 0) + ns);
    }
  }

  /** What was taken since the last call, most first. @param spanNs the time of the frame */
  take(spanNs: number): StolenNow[] {
    const all: StolenNow[] = [];
    for (const { guest, cpu, takenBy } of this.#vcpus.values()) {
      for (const [{ pid, name }, ns] of takenBy)
        if (spanNs > 0)
          all.push({ guest, guestCpu: cpu, byComm: name, byPid: pid, share: Math.min(1, ns / spanNs) });
      takenBy.clear();
    }
    this.#pairs = 0;
    return all.sort((a, b) => b.share - a.share);
  }

  #leave(vcpu: Waiting): void {
    this.#queues.get(vcpu.queue)?.delete(vcpu);
    vcpu.queue = -1;
  }
}
