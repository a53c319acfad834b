/** Initial capacity, in stretches. */
const firstRoom = 1024;

/**
 * Times in which one vCPU's thread surely did not run its guest, in order, as numbers relative to the host's origin.
 * Keeps at most `most` stretches: when it is full, it drops every second one, and from then on adds only every second one.
 */
export class OffStretches {
  from: Float64Array = new Float64Array(firstRoom);
  to: Float64Array = new Float64Array(firstRoom);
  length = 0;
  readonly #most: number;
  /** One stretch out of this many is kept. */
  #every = 1;
  #seen = 0;

  constructor(most = 1 << 20) {
    this.#most = most;
  }

  /** Ends must not decrease; an empty stretch is left out. */
  add(from: number, to: number): void {
    if (to <= from || this.#seen++ % this.#every !== 0) return;
    if (this.length === this.#most) this.#halve();
    if (this.length === this.from.length) this.#grow();
    this.from[this.length] = from;
    this.to[this.length] = to;
    this.length++;
  }

  /** Removes all stretches that end after a time. */
  removeAfter(time: number): void {
    while (this.length > 0 && this.to[this.length - 1]! > time) this.length--;
  }

  #halve(): void {
    this.#every *= 2;
    const kept = Math.ceil(this.length / 2);
    for (let i = 0; i < kept; i++) {
      this.from[i] = this.from[2 * i]!;
      this.to[i] = this.to[2 * i]!;
    }
    this.length = kept;
  }

  #grow(): void {
    const room = Math.min(this.#most, this.from.length * 2);
    const [from, to] = [new Float64Array(room), new Float64Array(room)];
    from.set(this.from);
    to.set(this.to);
    [this.from, this.to] = [from, to];
  }
}

interface Thread {
  readonly off: OffStretches;
  /** When the thread was switched out; undefined if it was not, or if a later event casts doubt on it. */
  outSince: number | undefined;
  /** Since when the thread has been outside its guest; undefined if it is not, or that is unknown. */
  outsideSince: number | undefined;
  /** Whether its entries are recorded at all. */
  enters: boolean;
}

/**
 * Follows the host's events, in time order, and finds when threads of vCPUs were surely off: the switch-out and the
 * next switch-in were both recorded, or with KVM the exit from the guest and the next entry, and in between, no events were
 * lost on any CPU on which the thread might have run. Times are numbers.
 */
export class ThreadTimes {
  readonly #threads = new Map<number, Thread>();
  /** Time of each host CPU's last event. */
  readonly #lastOf: number[] = [];

  /** @param vcpus each vCPU's stretches, by host thread id */
  constructor(vcpus: ReadonlyMap<number, OffStretches>) {
    for (const [tid, off] of vcpus)
      this.#threads.set(tid, { off, outSince: undefined, outsideSince: undefined, enters: false });
  }

  /**
   * Call for every event of the host. `pid`: the running thread's id; `lost`: whether its CPU lost events before it.
   */
  event(cpu: number, time: number, pid: number, lost: boolean): void {
    if (lost) this.#lose(this.#lastOf[cpu] ?? -Infinity);
    this.#lastOf[cpu] = time;
    const running = this.#threads.get(pid);
    // the thread is on a CPU: if it had been switched out, its switch-in was not recorded
    if (running !== undefined) running.outSince = undefined;
  }

  /** Call for a sched_switch, after `event`. */
  switched(time: number, prev: number, next: number): void {
    const into = this.#threads.get(next);
    if (into !== undefined) {
      // the time outside the guest is longer, and is added at its end
      if (into.outSince !== undefined && into.outsideSince === undefined) into.off.add(into.outSince, time);
      into.outSince = undefined;
    }
    const out = this.#threads.get(prev);
    if (out !== undefined) out.outSince = time;
  }

  /** Call for a kvm_exit, after `event`: the thread has left its guest. */
  left(time: number, tid: number): void {
    const thread = this.#threads.get(tid);
    if (thread?.enters === true) thread.outsideSince = time;
  }

  /** Call for a kvm_entry, after `event`: the thread is about to enter its guest. */
  enters(time: number, tid: number): void {
    const thread = this.#threads.get(tid);
    if (thread === undefined) return;
    if (thread.outsideSince !== undefined) thread.off.add(thread.outsideSince, time);
    thread.outsideSince = undefined;
    thread.enters = true;
  }

  #lose(since: number): void {
    for (const thread of this.#threads.values()) {
      thread.outSince = undefined;
      thread.outsideSince = undefined;
      thread.off.removeAfter(since);
    }
  }
}
