import type { TraceEvent } from '../../trace/events/trace-event.ts';
import type { EventFormat } from '../../trace/format/event-format.ts';
import { wasPreempted } from '../event-shapes.ts';
import { type ExplainShape, explainShapeOf } from '../explain/shapes.ts';
import { InterruptStack, InterruptTable } from '../interrupts.ts';
import { LogHistogram, Samples } from '../samples.ts';
import { TaskName } from '../tasks.ts';
import type { CpuNow, MachineNowFrame, TaskShare } from './result.ts';
import { Stolen } from './stolen.ts';

/** Tasks that are told apart; further ones share one row. */
const mostTasks = 4096;
/** Tasks in a frame. */
const mostShown = 20;
/** Frames without an event after which a task is forgotten. */
const mostQuietFrames = 10;

type SwitchShape = Extract<ExplainShape, { readonly kind: 'switch' }>;

class NowTask extends TaskName {
  readonly pid: number;
  onCpu = -1;
  /** When it was woken; undefined if it does not wait. */
  wokenAt: number | undefined;
  /** The last frame in which it had an event. */
  frame = 0;

  constructor(pid: number, name = '') {
    super();
    this.pid = pid;
    this.name = name;
  }
}

class NowCpu {
  readonly cpu: number;
  task: NowTask | undefined;
  pid = Number.NaN;
  /** Until when its time is counted. */
  since = 0;
  busyNs = 0;
  idleNs = 0;
  readonly ranNs = new Map<NowTask, number>();
  readonly interrupts = new InterruptStack();
  interruptNs = 0;

  constructor(cpu: number) {
    this.cpu = cpu;
  }
}

/**
 * What a machine does now: takes its events in the order in which they arrive, and gives the figures of the time since
 * the last frame. Memory is bounded for any events. Times are nanoseconds since the first event.
 */
export class MachineNow {
  /** The vCPUs of guests that threads of this machine run. */
  readonly stolen = new Stolen();
  readonly #shapes: (ExplainShape | undefined)[] = [];
  readonly #nameOf: (pid: number) => string | undefined;
  readonly #cpus = new Map<number, NowCpu>();
  readonly #tasks = new Map<number, NowTask>();
  readonly #others = new NowTask(-1, 'others');
  readonly #idle = new NowTask(0, '<idle>');
  readonly #rows = new InterruptTable();
  #first: bigint | undefined;
  #lastNs = 0;
  #frameNs = 0;
  #frame = 0;
  #events = 0;
  #latency = new Samples();
  #histogram = new LogHistogram();
  #hasSwitches = false;
  #hasWakings = false;
  #hasInterrupts = false;

  /** @param nameOf the name of a task that no event has named yet */
  constructor(formats: readonly EventFormat[], nameOf: (pid: number) => string | undefined) {
    this.#nameOf = nameOf;
    for (const format of formats) this.#shapes[format.id] = explainShapeOf(format);
  }

  take(event: TraceEvent): void {
    this.#first ??= event.timestamp;
    const stamp = Number(event.timestamp - this.#first);
    if (stamp > this.#lastNs) this.#lastNs = stamp;
    this.#events++;
    const cpu = this.#cpuOf(event.cpu);
    // events of a CPU that sends late: the time before was counted already
    const now = Math.max(stamp, cpu.since);
    if (event.lost !== undefined) {
      this.#leave(cpu);
      cpu.since = now;
      cpu.interrupts.forget();
    }
    if (cpu.task === undefined) this.#run(cpu, event.pid, now);
    const shape = this.#shapes[event.id];
    if (shape === undefined || event.record.dataBytes < shape.needBytes) return;
    const { view, dataOffset: at } = event.record;
    switch (shape.kind) {
      case 'switch':
        return this.#switch(cpu, shape, view, at, now);
      case 'waking':
      case 'wakeup':
        return this.#wake(view, at, shape, now);
      case 'migrate': {
        const pid = view.getInt32(at + shape.pid, true);
        if (!this.stolen.isWaiting(pid)) return;
        const target = view.getInt32(at + shape.cpu, true);
        this.#chargeAll(now);
        return this.stolen.ready(pid, target, now);
      }
      case 'irq-entry':
      case 'softirq-entry': {
        this.#hasInterrupts = true;
        return cpu.interrupts.enter(
          this.#rows.others,
          view.getInt32(at + shape.number, true),
          shape.kind === 'irq-entry',
          now,
        );
      }
      case 'irq-exit':
      case 'softirq-exit':
        return cpu.interrupts.leave(
          view.getInt32(at + shape.number, true),
          shape.kind === 'irq-exit',
          now,
          cpu.cpu,
        );
      default:
    }
  }

  /** Pages of a CPU were skipped: what it runs is unknown until its next event. */
  skipped(number: number): void {
    const cpu = this.#cpuOf(number);
    this.#leave(cpu);
    cpu.interrupts.forget();
  }

  /** The figures since the last call. */
  frame(): MachineNowFrame {
    const now = this.#lastNs;
    const spanNs = now - this.#frameNs;
    for (const cpu of this.#cpus.values()) this.#count(cpu, now);
    const shares = new Map<NowTask, { ns: number; cpus: number[] }>();
    for (const { cpu, ranNs } of this.#cpus.values())
      for (const [task, ns] of ranNs) {
        const share = shares.get(task) ?? { ns: 0, cpus: [] };
        share.ns += ns;
        share.cpus.push(cpu);
        shares.set(task, share);
      }
    const tasks = [...shares]
      .filter(([, { ns }]) => ns > 0 && spanNs > 0)
      .sort(([, a], [, b]) => b.ns - a.ns)
      .slice(0, mostShown)
      .map(([task, { ns, cpus }]) => ({
        ...this.#shareOf(task, ns, spanNs),
        cpus: cpus.sort((a, b) => a - b),
      }));
    const frame = {
      events: this.#events,
      spanNs,
      cpus: [...this.#cpus.values()].sort((a, b) => a.cpu - b.cpu).map((cpu) => this.#cpuNow(cpu, spanNs)),
      tasks: this.#hasSwitches ? tasks : [],
      stolen: this.stolen.take(spanNs),
      wakeups: this.#hasWakings && this.#hasSwitches ? this.#wakeups() : null,
      missing: [
        ...(this.#hasSwitches ? [] : ['sched_switch']),
        ...(this.#hasWakings ? [] : ['sched_waking']),
        ...(this.#hasInterrupts ? [] : ['irq']),
      ],
    };
    this.#begin(now);
    return frame;
  }

  #begin(now: number): void {
    this.#frameNs = now;
    this.#frame++;
    this.#events = 0;
    this.#latency = new Samples();
    this.#histogram = new LogHistogram();
    for (const cpu of this.#cpus.values()) {
      cpu.busyNs = 0;
      cpu.idleNs = 0;
      cpu.ranNs.clear();
      cpu.interruptNs = cpu.interrupts.irqNs + cpu.interrupts.softirqNs;
    }
    for (const [pid, { onCpu, frame }] of this.#tasks)
      if (onCpu < 0 && this.#frame - frame > mostQuietFrames) this.#tasks.delete(pid);
  }

  #cpuNow(cpu: NowCpu, spanNs: number): CpuNow {
    const { interrupts, interruptNs, busyNs, idleNs } = cpu;
    const irqNs = interrupts.irqNs + interrupts.softirqNs - interruptNs;
    const [top] = [...cpu.ranNs].sort(([, a], [, b]) => b - a);
    const knownNs = busyNs + idleNs;
    const isKnown = this.#hasSwitches && knownNs > 0;
    return {
      cpu: cpu.cpu,
      busyShare: isKnown ? busyNs / knownNs : null,
      irqShare: this.#hasInterrupts && spanNs > 0 ? Math.min(1, irqNs / spanNs) : null,
      topTask: isKnown && top !== undefined ? this.#shareOf(top[0], top[1], spanNs) : null,
    };
  }

  #shareOf(task: NowTask, ns: number, spanNs: number): TaskShare {
    const { pid, name } = task;
    return {
      comm: name === '' ? (this.#nameOf(pid) ?? '') : name,
      pid,
      share: spanNs > 0 ? ns / spanNs : 0,
    };
  }

  #wakeups(): MachineNowFrame['wakeups'] {
    const { count, max } = this.#latency;
    return {
      count,
      p50Ns: this.#latency.percentile(0.5) ?? null,
      p99Ns: this.#latency.percentile(0.99) ?? null,
      maxNs: count > 0 ? max : null,
      histogram: this.#histogram.buckets().map((bucket) => [bucket.toNs, bucket.count] as const),
    };
  }

  #switch(cpu: NowCpu, shape: SwitchShape, view: DataView, at: number, now: number): void {
    this.#hasSwitches = true;
    cpu.interrupts.switched();
    const prevPid = view.getInt32(at + shape.prevPid, true);
    const nextPid = view.getInt32(at + shape.nextPid, true);
    if (cpu.pid === prevPid) this.#count(cpu, now);
    else this.#leave(cpu);
    // who had the CPU meanwhile is unknown
    this.stolen.charge(cpu.cpu, undefined, now);
    cpu.since = now;
    const prev = this.#taskOf(prevPid);
    if (prev.pid > 0 && shape.prevName !== undefined) prev.rename(view, at + shape.prevName);
    const isPreempted = wasPreempted(view.getUint32(at + shape.prevState, true));
    this.stolen.runs(nextPid);
    if (isPreempted) this.stolen.ready(prevPid, cpu.cpu, now);
    this.#leave(cpu);
    const next = this.#taskOf(nextPid);
    if (next.pid > 0 && shape.nextName !== undefined) next.rename(view, at + shape.nextName);
    if (next.wokenAt !== undefined) {
      const waited = now - next.wokenAt;
      next.wokenAt = undefined;
      if (waited >= 0) {
        this.#latency.add(waited);
        this.#histogram.add(waited);
      }
    }
    this.#run(cpu, nextPid, now);
  }

  #wake(
    view: DataView,
    at: number,
    shape: Extract<ExplainShape, { readonly kind: 'waking' | 'wakeup' | 'migrate' }>,
    now: number,
  ): void {
    this.#hasWakings = true;
    const pid = view.getInt32(at + shape.pid, true);
    if (pid === 0) return;
    const task = this.#taskOf(pid);
    if (task.onCpu >= 0 || task === this.#others) return;
    if (task.name === '' && shape.name !== undefined) task.rename(view, at + shape.name);
    task.wokenAt ??= now;
    const target = view.getInt32(at + shape.cpu, true);
    if (!this.stolen.isWaiting(pid)) this.#chargeOne(target, now);
    this.stolen.ready(pid, target, now);
  }

  #run(cpu: NowCpu, pid: number, now: number): void {
    const task = this.#taskOf(pid);
    cpu.task = task;
    cpu.pid = pid;
    cpu.since = Math.max(cpu.since, now);
    if (task.pid > 0) task.onCpu = cpu.cpu;
  }

  #leave(cpu: NowCpu): void {
    if (cpu.task?.onCpu === cpu.cpu) cpu.task.onCpu = -1;
    cpu.task = undefined;
    cpu.pid = Number.NaN;
  }

  /** Counts a CPU's time until now for its task. */
  #count(cpu: NowCpu, now: number): void {
    const { task } = cpu;
    const ns = now - cpu.since;
    if (ns < 0 || task === undefined) return;
    cpu.since = now;
    this.stolen.charge(cpu.cpu, task === this.#idle ? undefined : task, now);
    if (task === this.#idle) {
      cpu.idleNs += ns;
      return;
    }
    cpu.busyNs += ns;
    task.frame = this.#frame;
    cpu.ranNs.set(task, (cpu.ranNs.get(task) ?? 0) + ns);
  }

  #chargeOne(number: number, now: number): void {
    const task = this.#cpus.get(number)?.task;
    this.stolen.charge(number, task === this.#idle ? undefined : task, now);
  }

  #chargeAll(now: number): void {
    for (const number of this.#cpus.keys()) this.#chargeOne(number, now);
  }

  #cpuOf(number: number): NowCpu {
    let cpu = this.#cpus.get(number);
    if (cpu === undefined) this.#cpus.set(number, (cpu = new NowCpu(number)));
    return cpu;
  }

  #taskOf(pid: number): NowTask {
    if (pid === 0) return this.#idle;
    let task = this.#tasks.get(pid);
    if (task === undefined) {
      if (this.#tasks.size >= mostTasks) return this.#others;
      this.#tasks.set(pid, (task = new NowTask(pid)));
    }
    task.frame = this.#frame;
    return task;
  }
}
