import { clockNs } from '../../native/clock.ts';
import type { RecordedVcpu } from '../../trace/recording/recording-format.ts';
import { qemusOf } from '../qemu/guest-trouble.ts';
import type { Holder } from '../qemu/holders.ts';
import type { QmpMonitor } from '../qmp/monitor.ts';
import { threadsByEntries } from './kvm-entries.ts';
import { tasksOf, vcpuThreads, type VcpuThreads } from './vcpu-threads.ts';

/**
 * Minimum time between two queries to a QEMU: any change of QEMU's threads causes a query, and some threads come and
 * go.
 */
const pauseMs = 2000;
/** Maximum number of threads to remember: QEMU has some for its CPUs, and a pool for its disks that comes and goes. */
const mostThreads = 100_000;

/** Tracks which threads of the host run a guest's virtual CPUs, even when CPUs are added or removed. */
export class VcpuWatch {
  readonly #dir: string;
  readonly #monitor: (qemu: Holder) => Promise<QmpMonitor | undefined>;
  #qemu: Holder | undefined;
  #tasks = '';
  #notBeforeMs = 0;
  #vcpus: readonly RecordedVcpu[] = [];
  /** All threads that QEMU has had. */
  readonly #seen = new Set<number>();
  readonly #from = String(clockNs('boottime'));

  /**
   * @param dir the guest's directory, as in `TracedMachine`
   * @param monitor returns the lasting connection to QEMU, if there is one. Must not reject.
   */
  constructor(
    dir: string,
    monitor: (qemu: Holder) => Promise<QmpMonitor | undefined> = () => Promise.resolve(undefined),
  ) {
    this.#dir = dir;
    this.#monitor = monitor;
  }

  /** The process of the guest's QEMU; undefined until it is found. */
  get pid(): number | undefined {
    return this.#qemu?.pid;
  }

  get vcpus(): readonly RecordedVcpu[] {
    return this.#vcpus;
  }

  /** Looks again if QEMU's threads have changed. Does not throw. @returns whether anything has changed */
  async look(): Promise<boolean> {
    if (performance.now() < this.#notBeforeMs) return false;
    const found = this.#qemu === undefined;
    this.#qemu ??= qemusOf(this.#dir)[0];
    if (this.#qemu === undefined) return this.#pause(false);
    const tids = tasksOf(this.#qemu.pid);
    for (const tid of tids) if (this.#seen.size < mostThreads) this.#seen.add(tid);
    const tasks = tids.join(' ');
    if (tasks === this.#tasks) return false;
    const threads = await vcpuThreads(this.#qemu, await this.#monitor(this.#qemu));
    // QEMU may not answer for a while; its threads still show which CPUs are gone
    const known = threads.size > 0 ? threads : this.#living(tasks);
    if (threads.size > 0) this.#tasks = tasks;
    const next = merge(this.#vcpus, known, String(clockNs('boottime')));
    const changed = found || next !== this.#vcpus;
    this.#vcpus = next;
    return this.#pause(changed);
  }

  /**
   * Finds the threads in the host's recording, after its end, if they are still unknown.
   * @returns whether it found any
   */
  async readEntries(path: string): Promise<boolean> {
    if (this.#vcpus.length > 0 || this.#seen.size === 0) return false;
    const threads = await threadsByEntries(path, this.#seen);
    this.#vcpus = [...threads].map(([vcpu, tid]) => ({ vcpu, tid, from: this.#from, until: null }));
    return threads.size > 0;
  }

  #living(tasks: string): VcpuThreads {
    const alive = new Set(tasks.split(' ').map(Number));
    const open = this.#vcpus.filter(({ until, tid }) => until === null && alive.has(tid));
    return new Map(open.map(({ vcpu, tid }) => [vcpu, tid]));
  }

  #pause(changed: boolean): boolean {
    this.#notBeforeMs = performance.now() + pauseMs;
    return changed;
  }
}

/** @returns `before` itself if nothing has changed */
export function merge(
  before: readonly RecordedVcpu[],
  threads: VcpuThreads,
  nowNs: string,
): readonly RecordedVcpu[] {
  const runs = ({ vcpu, tid, until }: RecordedVcpu): boolean => until === null && threads.get(vcpu) === tid;
  const ended = before.some((entry) => entry.until === null && !runs(entry));
  const added = [...threads].filter(
    ([vcpu, tid]) => !before.some((e) => e.vcpu === vcpu && e.tid === tid && runs(e)),
  );
  if (!ended && added.length === 0) return before;
  return [
    ...before.map((entry) => (entry.until === null && !runs(entry) ? { ...entry, until: nowNs } : entry)),
    ...added.map(([vcpu, tid]) => ({ vcpu, tid, from: nowNs, until: null })),
  ];
}
