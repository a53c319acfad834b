import { printable } from '../../src/base/quoted.ts';
import type { EventBatch } from '../../src/trace/events/event-batches.ts';
import type { TraceEvent } from '../../src/trace/events/trace-event.ts';
import { openSession } from '../../src/trace/session.ts';

/** Lines that the demo shows of both machines. */
export const shownLines = 10;

/**
 * A wakeup that crosses from the host into its guest: on the host the thread of a guest's CPU is woken while it is off
 * its CPU, and comes to a CPU; then the guest wakes a task on its CPU, and switches to it. Times are those of the host.
 */
export interface Crossing {
  readonly hostWaking: bigint;
  readonly hostSwitch: bigint;
  readonly guestSwitch: bigint;
  /** Tasks as `name:tid`, printable. */
  readonly waker: string;
  readonly thread: string;
  readonly task: string;
  readonly vcpu: number;
  readonly hostCpu: number;
  /** Whether the guest handled an interrupt before it woke the task. */
  readonly hasInterrupt: boolean;
  /** Events of both machines from `hostWaking` to `guestSwitch`. */
  readonly lines: number;
  /** Times of the first and last event to show: `shownLines`, if so many fit. */
  readonly from: bigint;
  readonly to: bigint;
}

/**
 * The crossing that is the easiest to follow: with an interrupt of the guest in it, if there is such a one, and of those
 * the one with the fewest other events in between, at most `shownLines` in all. Undefined if there is none. Reads all
 * events once. Throws Failure.
 */
export async function findCrossing(hostFile: string): Promise<Crossing | undefined> {
  const session = await openSession(hostFile);
  try {
    const [host, guest] = session.machines;
    if (host === undefined || guest === undefined || !guest.hasHostTimes) return undefined;
    const search = new Search(host.name, guest.vcpuTids);
    await search.read(session.events());
    return search.best();
  } finally {
    await session.close();
  }
}

/** What is known of a vCPU since its thread left its CPU; undefined where the next step has not come yet. */
interface Progress {
  readonly first: number;
  readonly hostWaking: bigint;
  readonly waker: string;
  readonly thread: string;
  hostSwitch?: bigint;
  hostCpu?: number;
  hasInterrupt: boolean;
  woken?: number;
}

class Search {
  readonly #host: string;
  readonly #vcpuOf: ReadonlyMap<number, number>;
  readonly #off = new Set<number>();
  readonly #progress = new Map<number, Progress>();
  readonly #times: bigint[] = [];
  #best: (Omit<Crossing, 'from' | 'to'> & { readonly first: number }) | undefined;

  constructor(host: string, vcpuTids: ReadonlyMap<number, number>) {
    this.#host = host;
    this.#vcpuOf = new Map([...vcpuTids].map(([vcpu, tid]) => [tid, vcpu]));
  }

  async read(events: AsyncIterable<EventBatch>): Promise<void> {
    for await (const batch of events)
      for (const event of batch) {
        if (event.machine === this.#host) this.#ofHost(event);
        else this.#ofGuest(event);
        this.#times.push(event.timestamp);
      }
  }

  best(): Crossing | undefined {
    if (this.#best === undefined) return undefined;
    const { first, ...found } = this.#best;
    const from = Math.max(0, first - Math.floor((shownLines - found.lines) / 2));
    const to = Math.min(from + shownLines, this.#times.length) - 1;
    return { ...found, from: this.#times[from]!, to: this.#times[to]! };
  }

  #ofHost(event: TraceEvent): void {
    if (event.name === 'sched:sched_waking') {
      const vcpu = this.#vcpuOf.get(Number(event.get('pid')));
      if (vcpu === undefined || !this.#off.has(vcpu)) return;
      this.#progress.set(vcpu, {
        first: this.#times.length,
        hostWaking: event.timestamp,
        waker: taskText(event.task, event.pid),
        thread: taskText(event.get('comm'), event.get('pid')),
        hasInterrupt: false,
      });
    } else if (event.name === 'sched:sched_switch') {
      const left = this.#vcpuOf.get(Number(event.get('prev_pid')));
      if (left !== undefined) {
        this.#off.add(left);
        this.#progress.delete(left);
      }
      const came = this.#vcpuOf.get(Number(event.get('next_pid')));
      if (came === undefined) return;
      this.#off.delete(came);
      const progress = this.#progress.get(came);
      if (progress === undefined) return;
      progress.hostSwitch = event.timestamp;
      progress.hostCpu = event.cpu;
    }
  }

  #ofGuest(event: TraceEvent): void {
    const progress = this.#progress.get(event.cpu);
    if (progress?.hostSwitch === undefined || progress.hostCpu === undefined) return;
    const { hostSwitch, hostCpu, woken } = progress;
    if (event.name.startsWith('irq:') && woken === undefined) progress.hasInterrupt = true;
    else if (event.name === 'sched:sched_waking') progress.woken ??= Number(event.get('pid'));
    else if (event.name === 'sched:sched_switch') {
      this.#progress.delete(event.cpu);
      if (woken === undefined || woken !== Number(event.get('next_pid'))) return;
      const { first, hostWaking, waker, thread, hasInterrupt } = progress;
      const lines = this.#times.length - first + 1;
      if (lines > shownLines) return;
      const best = this.#best;
      const isBetter =
        best === undefined || (hasInterrupt === best.hasInterrupt ? lines < best.lines : hasInterrupt);
      if (!isBetter) return;
      const task = taskText(event.get('next_comm'), woken);
      const places = { vcpu: event.cpu, hostCpu, hasInterrupt, lines, first };
      this.#best = {
        hostWaking,
        hostSwitch,
        guestSwitch: event.timestamp,
        waker,
        thread,
        task,
        ...places,
      };
    }
  }
}

function taskText(name: unknown, tid: unknown): string {
  return `${typeof name === 'string' ? printable(name) : '<...>'}:${String(tid)}`;
}

/** One sentence about what its lines show, on three lines. */
export function explained(crossing: Crossing): string {
  const { hostWaking, hostSwitch, guestSwitch, waker, thread, task, vcpu, hostCpu, hasInterrupt } = crossing;
  return [
    `On the host, ${waker} wakes ${thread}, the thread of the guest's CPU ${vcpu},`,
    `which waits ${us(hostSwitch - hostWaking)} for host CPU ${hostCpu}; only then the guest ${hasInterrupt ? 'handles an interrupt and ' : ''}wakes ${task},`,
    `which runs ${us(guestSwitch - hostWaking)} after the wakeup on the host.`,
  ].join('\n');
}

function us(ns: bigint): string {
  return `${(Number(ns) / 1000).toFixed(1)} us`;
}
