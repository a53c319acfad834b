import type { TraceEvent } from '../trace/events/trace-event.ts';
import type { EventFormat } from '../trace/format/event-format.ts';
import { CpuCounter } from './cpu-counter.ts';
import { type EventShape, shapeOf, vectorNames, wasPreempted } from './event-shapes.ts';
import { InterruptTable } from './interrupts.ts';
import { LogHistogram, Samples } from './samples.ts';
import { nameAt, type Task, type TaskBudget, Tasks } from './tasks.ts';

const idsMost = 1 << 16;

type SwitchShape = Extract<EventShape, { readonly kind: 'switch' }>;
type WakeShape = Extract<EventShape, { readonly kind: 'waking' | 'wakeup' }>;

/** Follows the events of one buffer. Times are nanoseconds since the first event, as numbers: bigints are slow. */
export class BufferCounter {
  events = 0;
  first: bigint | undefined;
  /** Largest time seen, relative to `first`. */
  lastNs = 0;
  switches = 0;
  wakings = 0;
  wakeups = 0;
  /** Events whose record is too short for its fields. */
  malformed = 0;
  /** Task runs not counted because events were lost during them, or because their start or end is missing. */
  slicesAcrossLoss = 0;
  slicesUnmatched = 0;
  /** Wakeups with lost events between the wakeup and the switch: the switch may belong to a different wakeup. */
  wakeupsAcrossLoss = 0;
  readonly countById = new Float64Array(idsMost);
  readonly cpus = new Map<number, CpuCounter>();
  readonly tasks: Tasks;
  readonly irqs = new InterruptTable();
  readonly softirqs = new InterruptTable();
  readonly latency = new Samples();
  readonly histogram = new LogHistogram();
  readonly #shapes: (EventShape | undefined)[] = [];
  readonly #vectorName: (vector: number) => string;
  #cpu: CpuCounter | undefined;
  /** Time of the last loss of events on any CPU. */
  #lossNs = -1;

  constructor(formats: readonly EventFormat[], budget: TaskBudget) {
    this.tasks = new Tasks(budget);
    const byId = new Map(formats.map((format) => [format.id, shapeOf(format)]));
    // a dense array, so that looking up an id without a shape is as fast as one with a shape
    const lastId = Math.max(0, ...byId.keys());
    for (let id = 0; id <= lastId; id++) this.#shapes.push(byId.get(id));
    const vectors = vectorNames(formats.find(({ fullName }) => fullName === 'irq:softirq_entry'));
    this.#vectorName = (vector) => vectors.get(vector) ?? '';
  }

  take(event: TraceEvent): void {
    const { id, cpu: number, lost, timestamp } = event;
    this.first ??= timestamp;
    const now = Number(timestamp - this.first);
    if (now > this.lastNs) this.lastNs = now;
    this.events++;
    this.countById[id]! += 1;
    const cpu = this.#cpu?.cpu === number ? this.#cpu : this.#cpuOf(number);
    cpu.events++;
    if (lost !== undefined) this.#lose(cpu, lost, now);
    if (cpu.task === undefined) {
      const task = this.tasks.of(event.pid);
      cpu.run(task, event.pid, now, false);
      if (cpu.firstNs === undefined) cpu.firstNs = now;
    }
    const shape = this.#shapes[id];
    if (shape === undefined) return;
    const { record } = event;
    if (record.dataBytes < shape.needBytes) {
      this.malformed++;
      return;
    }
    switch (shape.kind) {
      case 'switch':
        return this.#switch(cpu, shape, record.view, record.dataOffset, now);
      case 'waking':
      case 'wakeup':
        return this.#wake(shape, record.view, record.dataOffset, now);
      case 'irq-entry': {
        const irq = record.view.getInt32(record.dataOffset + shape.number, true);
        return cpu.interrupts.enter(this.irqs.ofHandler(irq, record, shape.nameField), irq, true, now);
      }
      case 'softirq-entry': {
        const vector = record.view.getInt32(record.dataOffset + shape.number, true);
        const row = this.softirqs.ofNumber(vector, this.#vectorName);
        return cpu.interrupts.enter(row, vector, false, now);
      }
      case 'irq-exit':
      case 'softirq-exit': {
        const ended = record.view.getInt32(record.dataOffset + shape.number, true);
        return cpu.interrupts.leave(ended, shape.kind === 'irq-exit', now, number);
      }
      default:
        return shape satisfies never;
    }
  }

  /** Call after the last event: tasks that are still running ran until the end of the trace. */
  end(): void {
    for (const cpu of this.cpus.values()) cpu.leave(this.lastNs);
  }

  #cpuOf(number: number): CpuCounter {
    let cpu = this.cpus.get(number);
    if (cpu === undefined) {
      cpu = new CpuCounter(number);
      this.cpus.set(number, cpu);
    }
    this.#cpu = cpu;
    return cpu;
  }

  #lose(cpu: CpuCounter, lost: bigint | 'unknown', now: number): void {
    if (lost === 'unknown') cpu.uncountedLosses++;
    else cpu.lost += lost;
    cpu.interrupts.forget();
    this.#lossNs = now;
    if (cpu.task === undefined) return;
    this.slicesAcrossLoss++;
    cpu.forget();
  }

  #switch(cpu: CpuCounter, shape: SwitchShape, view: DataView, at: number, now: number): void {
    this.switches++;
    cpu.interrupts.switched();
    const prevPid = view.getInt32(at + shape.prevPid, true);
    const nextPid = view.getInt32(at + shape.nextPid, true);
    const prev = cpu.pid === prevPid ? cpu.task! : this.tasks.of(prevPid);
    if (cpu.pid !== prevPid) {
      // events are enabled one by one, so the first sched_switch may come later than the trace's first event
      if (cpu.wasSwitchedIn) this.slicesUnmatched++;
      cpu.forget();
    } else if (!cpu.leave(now)) this.slicesUnmatched++;
    if (prevPid !== 0) {
      if (shape.prevName !== undefined) prev.rename(view, at + shape.prevName);
      if (wasPreempted(view.getUint32(at + shape.prevState, true))) {
        prev.involuntary++;
        cpu.involuntary++;
      } else {
        prev.voluntary++;
        cpu.voluntary++;
      }
    }
    const next = this.tasks.of(nextPid);
    if (nextPid !== 0) {
      if (shape.nextName !== undefined) next.rename(view, at + shape.nextName);
      if (next.woken !== 'no') this.#ran(cpu, next, prevPid, shape, view, at, now);
    }
    cpu.run(next, nextPid, now, true);
  }

  /** A woken task starts to run. */
  #ran(
    cpu: CpuCounter,
    task: Task,
    prevPid: number,
    shape: SwitchShape,
    view: DataView,
    at: number,
    now: number,
  ): void {
    const waited = now - task.wokenAt;
    const isSure = task.wokenAt >= this.#lossNs && waited >= 0;
    task.woken = 'no';
    if (!isSure) {
      this.wakeupsAcrossLoss++;
      return;
    }
    if (task.latency.count === 0 || waited > task.latency.max) {
      task.worstAt = now;
      task.worstCpu = cpu.cpu;
      task.worstAfterPid = prevPid;
      task.worstAfter = shape.prevName === undefined ? '' : nameAt(view, at + shape.prevName);
    }
    task.latency.add(waited);
    cpu.latency.add(waited);
    this.latency.add(waited);
    this.histogram.add(waited);
  }

  #wake(shape: WakeShape, view: DataView, at: number, now: number): void {
    if (shape.kind === 'waking') this.wakings++;
    else this.wakeups++;
    const pid = view.getInt32(at + shape.pid, true);
    if (pid === 0) return;
    const task = this.tasks.of(pid);
    // a task that is still running does not wait; wakeups of tasks beyond the limit are not tracked
    if (task.onCpu >= 0 || task === this.tasks.others) return;
    // this sched_wakeup completes a wakeup whose sched_waking was seen
    if (shape.kind === 'wakeup' && task.woken === 'waking') {
      task.woken = 'wakeup';
      return;
    }
    if (task.name === '' && shape.name !== undefined) task.rename(view, at + shape.name);
    task.woken = shape.kind;
    task.wokenAt = now;
  }
}
