import type { EventFilter, Trace, TraceBuffer } from '../trace/open.ts';
import { BufferCounter } from './buffer-counter.ts';
import type { CpuCounter } from './cpu-counter.ts';
import type { Interrupt, InterruptTable } from './interrupts.ts';
import { missingOf } from './missing.ts';
import type { Samples } from './samples.ts';
import type {
  BufferSummary,
  CpuSummary,
  Durations,
  InterruptSummary,
  TaskSummary,
  TraceSummary,
} from './result.ts';
import { type Task, TaskBudget } from './tasks.ts';

/** Interval at which the event loop gets to run. */
const turnMs = 100;

/**
 * Summarises a trace: run times, switches, wakeup latencies, interrupts, events and losses of each buffer. Reads all
 * events that pass the filter, in bounded memory; yields to the event loop about every 100 ms.
 * Throws Failure as `trace.events` does.
 * @param onProgress gets the number of events so far
 */
export async function summarise(
  trace: Trace,
  filter: EventFilter = {},
  onProgress: (events: number) => void = () => {},
): Promise<TraceSummary> {
  // each buffer is read in a separate pass, and an iterator can only be used once
  const { cpus, events, buffers } = filter;
  const each: EventFilter = {
    ...filter,
    ...(cpus === undefined ? {} : { cpus: [...cpus] }),
    ...(events === undefined ? {} : { events: [...events] }),
  };
  const names = [...new Set(buffers ?? trace.buffers.map(({ name }) => name))];
  const budget = new TaskBudget();
  const summaries: BufferSummary[] = [];
  let counted = 0;
  for (const name of names) {
    const counter = new BufferCounter(trace.formats(), budget);
    let turnAt = performance.now() + turnMs;
    for await (const batch of trace.events({ ...each, buffers: [name] })) {
      for (const event of batch) counter.take(event);
      if (performance.now() < turnAt) continue;
      onProgress(counted + counter.events);
      await new Promise((resume) => void setImmediate(resume));
      turnAt = performance.now() + turnMs;
    }
    counter.end();
    counted += counter.events;
    const buffer = trace.buffers.find((one) => one.name === name);
    if (buffer !== undefined) summaries.push(summaryOf(trace, buffer, counter));
  }
  return { path: trace.path, buffers: summaries };
}

function summaryOf(
  trace: Trace,
  { name, clock, timeUnit }: TraceBuffer,
  counter: BufferCounter,
): BufferSummary {
  const nameById = new Map(trace.formats().map(({ id, fullName }) => [id, fullName]));
  const eventTypes: { name: string; count: number }[] = [];
  // most possible ids do not occur
  for (let id = 0; id < counter.countById.length; id++) {
    const count = counter.countById[id]!;
    if (count > 0) eventTypes.push({ name: nameById.get(id) ?? `#${id}`, count });
  }
  eventTypes.sort((a, b) => b.count - a.count);
  const times = new Times(counter, timeUnit !== null);
  const cpus = [...counter.cpus.values()].sort((a, b) => a.cpu - b.cpu);
  // without switches, all that is known about a task is that it ran
  const known = counter.switches > 0 ? [...counter.tasks.all()] : [];
  const tasks = known.filter(hasFigures).map((task) => times.task(task, trace));
  const busyNs = sum(cpus.map((cpu) => cpu.busyNs));
  const idleNs = sum(cpus.map((cpu) => cpu.idleNs));
  const { others } = counter.tasks;
  const hasTimes = timeUnit !== null;
  return {
    name,
    clock,
    timeUnit,
    first: counter.first,
    last: counter.first === undefined ? undefined : counter.first + BigInt(counter.lastNs),
    spanNs: hasTimes ? counter.lastNs : null,
    events: counter.events,
    lost: cpus.reduce((lost, cpu) => lost + cpu.lost, 0n),
    uncountedLosses: sum(cpus.map((cpu) => cpu.uncountedLosses)),
    busyNs: times.hasRuns ? busyNs : null,
    idleNs: times.hasRuns ? idleNs : null,
    idleShare: times.hasRuns ? partOf(idleNs, busyNs + idleNs) : null,
    cpus: cpus.map((cpu) => times.cpu(cpu)),
    tasks: tasks.sort(byRunTime),
    otherTasks: counter.switches > 0 && hasFigures(others) ? times.task(others, trace) : null,
    wakeups: times.hasWakeups ? times.latency(counter.latency) : null,
    wakeupHistogram: times.hasWakeups ? counter.histogram.buckets() : [],
    irqs: times.interrupts(counter.irqs),
    softirqs: times.interrupts(counter.softirqs),
    eventTypes,
    missing: missingOf(counter),
    notCounted: {
      slicesAcrossLoss: counter.slicesAcrossLoss,
      slicesUnmatched: counter.slicesUnmatched,
      wakeupsAcrossLoss: counter.wakeupsAcrossLoss,
      interruptsUnmatched: sum(cpus.map(({ interrupts }) => interrupts.unmatched)),
      malformedEvents: counter.malformed,
    },
  };
}

/** Converts counters to rows. The available times depend on the clock and on the events in the trace. */
class Times {
  readonly hasTimes: boolean;
  readonly hasRuns: boolean;
  readonly hasWakeups: boolean;
  readonly #hasIrqs: boolean;
  readonly #hasSoftirqs: boolean;
  readonly #first: bigint;
  readonly #allNs: number;

  constructor(counter: BufferCounter, hasTimes: boolean) {
    this.hasTimes = hasTimes;
    this.hasRuns = hasTimes && counter.switches > 0;
    this.hasWakeups = this.hasRuns && counter.wakings + counter.wakeups > 0;
    this.#hasIrqs = hasTimes && counter.irqs.all().next().done !== true;
    this.#hasSoftirqs = hasTimes && counter.softirqs.all().next().done !== true;
    this.#first = counter.first ?? 0n;
    this.#allNs = sum([...counter.cpus.values()].map(({ busyNs, idleNs }) => busyNs + idleNs));
  }

  cpu(counter: CpuCounter): CpuSummary {
    const { cpu, events, lost, uncountedLosses, busyNs, idleNs, voluntary, involuntary, latency } = counter;
    const { irqNs, softirqNs } = counter.interrupts;
    return {
      cpu,
      events,
      lost,
      uncountedLosses,
      busyNs: this.hasRuns ? busyNs : null,
      idleNs: this.hasRuns ? idleNs : null,
      idleShare: this.hasRuns ? partOf(idleNs, busyNs + idleNs) : null,
      irqNs: this.#hasIrqs ? irqNs : null,
      softirqNs: this.#hasSoftirqs ? softirqNs : null,
      voluntary,
      involuntary,
      wakeups: this.hasWakeups ? this.latency(latency) : null,
    };
  }

  task(task: Task, trace: Trace): TaskSummary {
    const { pid, runNs, voluntary, involuntary, latency } = task;
    const isMany = Number.isNaN(pid);
    const worst =
      this.hasWakeups && latency.count > 0
        ? {
            latencyNs: latency.max,
            at: this.#at(task.worstAt),
            cpu: task.worstCpu,
            afterPid: task.worstAfterPid,
            afterTask: task.worstAfterPid === 0 ? '<idle>' : task.worstAfter,
          }
        : null;
    return {
      pid: isMany ? null : pid,
      task: isMany ? 'others' : task.name || trace.task(pid) || '',
      runNs: this.hasRuns ? runNs : null,
      share: this.hasRuns ? partOf(runNs, this.#allNs) : null,
      voluntary,
      involuntary,
      wakeups: this.hasWakeups && !isMany ? this.latency(latency) : null,
      worstWakeup: worst,
    };
  }

  latency(samples: Samples): Durations {
    return {
      count: samples.count,
      p50Ns: samples.percentile(0.5) ?? null,
      p99Ns: samples.percentile(0.99) ?? null,
      worstNs: samples.count > 0 ? samples.max : null,
      exact: samples.exact,
    };
  }

  /** The rows of a table, longest total time first. */
  interrupts(table: InterruptTable): InterruptSummary[] {
    if (!this.hasTimes) return [];
    return [...table.all()].sort((a, b) => b.totalNs - a.totalNs).map((row) => this.#interrupt(row));
  }

  #interrupt({ number, name, totalNs, own, worstAt, worstCpu }: Interrupt): InterruptSummary {
    const isMany = Number.isNaN(number);
    return {
      number: isMany ? null : number,
      name: isMany ? 'others' : name,
      totalNs,
      own: this.latency(own),
      worstAt: this.#at(worstAt),
      worstCpu,
    };
  }

  #at(ns: number): bigint {
    return this.#first + BigInt(ns);
  }
}

function hasFigures({ runNs, voluntary, involuntary, latency }: Task): boolean {
  return runNs > 0 || voluntary + involuntary > 0 || latency.count > 0;
}

/** Sorts by run time, longest first; without run times, by number of switches, most first. */
function byRunTime(a: TaskSummary, b: TaskSummary): number {
  const switches = b.voluntary + b.involuntary - a.voluntary - a.involuntary;
  return (b.runNs ?? 0) - (a.runNs ?? 0) || switches || (a.pid ?? 0) - (b.pid ?? 0);
}

function sum(values: readonly number[]): number {
  return values.reduce((all, value) => all + value, 0);
}

function partOf(part: number, whole: number): number {
  return whole > 0 ? part / whole : 0;
}

/** Converts to JSON values: 64-bit integers become strings, unknown values become null. */
export function summaryAsJson(summary: TraceSummary): object {
  return JSON.parse(
    JSON.stringify(summary, (key, value: unknown) => {
      if (value === undefined && (key === 'first' || key === 'last')) return null;
      return typeof value === 'bigint' ? String(value) : value;
    }),
  );
}
