import { maxCpus } from '../../base/cpu-list.ts';
import { svmExitReasons, vmxExitReasons } from '../../print/handlers/kvm-exit-reasons.ts';
import type { TraceEvent } from '../../trace/events/trace-event.ts';
import type { EventFormat } from '../../trace/format/event-format.ts';
import { vectorNames, wasPreempted } from '../event-shapes.ts';
import { type Interrupt, InterruptTable } from '../interrupts.ts';
import type { Scene } from './scene/scene.ts';
import { type ExplainShape, explainShapeOf, type ShapeKind } from './shapes.ts';
import type { Cpu, ExplainedTask, MachineState } from './scene/state.ts';

/** Timers that are remembered; a waking by another one has no due time. */
const mostTimers = 1 << 16;
const mostNested = 4;
const word = 2 ** 32;
const svm = 2;
/** Numbers of vectors begin here, so that they differ from those of irqs. */
const vectorBase = 1 << 24;

/** Converts a time of an event, as stored, to the time that the scene counts. */
export type ToTime = (stored: bigint, cpu: number) => number;

/** Reads a machine's events into a scene. */
export class MachineReader {
  readonly machine: MachineState;
  /** How many events of each kind were read. */
  readonly counts: Partial<Record<ShapeKind, number>> = {};
  timersDropped = 0;
  readonly #scene: Scene;
  readonly #shapes: (ExplainShape | undefined)[] = [];
  readonly #toTime: ToTime;
  readonly #interrupts = new InterruptTable();
  readonly #entities = new Map<Interrupt, number>();
  readonly #vectors = new Map<string, number>();
  readonly #exits = new Map<number, number>();
  readonly #vectorName: (vector: number) => string;
  /** When each timer expires, by its address: two halves of 64 bits. */
  readonly #timers = new Map<number, { high: number; low: number }>();

  constructor(scene: Scene, machine: MachineState, formats: readonly EventFormat[], toTime: ToTime) {
    this.#scene = scene;
    this.machine = machine;
    this.#toTime = toTime;
    const byId = new Map(formats.map((format) => [format.id, explainShapeOf(format)]));
    // a dense array, so that looking up an id without a shape is as fast
    const lastId = Math.max(0, ...byId.keys());
    for (let id = 0; id <= lastId; id++) this.#shapes.push(byId.get(id));
    const vectors = vectorNames(formats.find(({ fullName }) => fullName === 'irq:softirq_entry'));
    this.#vectorName = (vector) => vectors.get(vector) ?? '';
  }

  /** Whether an event is of a type that `take` reads. None of them happens within a switch. */
  isKnown(id: number): boolean {
    return this.#shapes[id] !== undefined;
  }

  /** Whether the file describes an event of this kind. */
  describes(kind: ShapeKind): boolean {
    return this.#shapes.some((shape) => shape?.kind === kind);
  }

  /** Call after `Scene.begin`. */
  take(event: TraceEvent, cpu: Cpu): void {
    const shape = this.#shapes[event.id];
    if (shape === undefined) return;
    const { record } = event;
    const { view, dataOffset: at } = record;
    if (record.dataBytes < shape.needBytes) return;
    this.counts[shape.kind] = (this.counts[shape.kind] ?? 0) + 1;
    const scene = this.#scene;
    switch (shape.kind) {
      case 'switch': {
        const prev = view.getInt32(at + shape.prevPid, true);
        const next = view.getInt32(at + shape.nextPid, true);
        this.#named(prev, view, at, shape.prevName);
        this.#named(next, view, at, shape.nextName).prio = view.getInt32(at + shape.nextPrio, true);
        scene.switched(cpu, prev, wasPreempted(view.getUint32(at + shape.prevState, true)), next);
        return;
      }
      case 'waking':
      case 'wakeup':
      case 'migrate': {
        const target = view.getInt32(at + shape.cpu, true);
        if (target < 0 || target >= maxCpus) return;
        const task = this.#named(view.getInt32(at + shape.pid, true), view, at, shape.name);
        task.prio = view.getInt32(at + shape.prio, true);
        if (shape.kind === 'migrate') return scene.migrated(task, target);
        return scene.woken(task, target, cpu, cpu.dueTimers.at(-1) ?? Number.NaN, shape.kind === 'waking');
      }
      case 'irq-entry': {
        const irq = view.getInt32(at + shape.number, true);
        const row = this.#interrupts.ofHandler(irq, record, shape.nameField);
        return scene.interruptBegins(cpu, this.#interrupt(row, irq), irq, true);
      }
      case 'softirq-entry': {
        const vector = view.getInt32(at + shape.number, true);
        const row = this.#interrupts.ofNumber(-1 - vector, () => this.#vectorName(vector));
        return scene.interruptBegins(cpu, this.#interrupt(row, vector), vector, false);
      }
      case 'vector-entry': {
        const vector = view.getInt32(at + shape.number, true);
        return scene.interruptBegins(cpu, this.#vector(shape.name), vectorBase + vector, true);
      }
      case 'vector-exit':
        return scene.interruptEnds(cpu, vectorBase + view.getInt32(at + shape.number, true), true);
      case 'irq-exit':
      case 'softirq-exit':
        return scene.interruptEnds(cpu, view.getInt32(at + shape.number, true), shape.kind === 'irq-exit');
      case 'timer-start':
        return this.#start(view, at + shape.timer, at + shape.time);
      case 'timer-expire':
        return this.#expire(event, cpu, at + shape.timer, at + shape.time);
      case 'timer-exit':
        cpu.dueTimers.pop();
        return;
      case 'kvm-exit': {
        const isa = shape.isa === undefined ? 0 : view.getUint32(at + shape.isa, true);
        return scene.exited(cpu, this.#exit(view.getUint32(at + shape.reason, true), isa));
      }
      case 'kvm-entry':
        return scene.exited(cpu, undefined);
      default:
        return shape satisfies never;
    }
  }

  /** How late a CPU's timers are is not known after a loss. */
  static lose(cpu: Cpu): void {
    cpu.dueTimers.length = 0;
  }

  #named(tid: number, view: DataView, at: number, name: number | undefined): ExplainedTask {
    const task = this.machine.task(tid);
    // idle tasks differ in their names, `swapper/0` and so on
    if (name !== undefined && tid > 0 && task.tid === tid) task.rename(view, at + name);
    return task;
  }

  #interrupt(row: Interrupt, number: number): number {
    let entity = this.#entities.get(row);
    if (entity === undefined) {
      const isOther = Number.isNaN(row.number);
      const named = isOther ? { name: 'others, beyond the limit' } : { number, name: row.name };
      entity = this.#scene.entities.add(this.machine.name, named);
      this.#entities.set(row, entity);
    }
    return entity;
  }

  /** Vectors are known by their names: which number one has differs between kernels. */
  #vector(name: string): number {
    let entity = this.#vectors.get(name);
    if (entity === undefined) {
      entity = this.#scene.entities.add(this.machine.name, { name });
      this.#vectors.set(name, entity);
    }
    return entity;
  }

  #exit(reason: number, isa: number): number {
    const key = isa * word + reason;
    let entity = this.#exits.get(key);
    if (entity === undefined) {
      const name = (isa === svm ? svmExitReasons : vmxExitReasons).get(reason) ?? null;
      entity = this.#scene.entities.add(this.machine.name, { number: reason, name });
      if (this.#exits.size < mostTimers) this.#exits.set(key, entity);
    }
    return entity;
  }

  #start(view: DataView, timer: number, time: number): void {
    const key = timerAt(view, timer);
    const [low, high] = [view.getUint32(time, true), view.getInt32(time + 4, true)];
    const known = this.#timers.get(key);
    if (known !== undefined) {
      known.low = low;
      known.high = high;
    } else if (this.#timers.size < mostTimers) this.#timers.set(key, { high, low });
    else this.timersDropped++;
  }

  #expire({ record, cpuEvents }: TraceEvent, cpu: Cpu, timer: number, time: number): void {
    const key = timerAt(record.view, timer);
    const expires = this.#timers.get(key);
    this.#timers.delete(key);
    if (cpu.dueTimers.length === mostNested) cpu.dueTimers.length = 0;
    if (expires === undefined) {
      cpu.dueTimers.push(Number.NaN);
      return;
    }
    const [low, high] = [record.view.getUint32(time, true), record.view.getInt32(time + 4, true)];
    const late = (high - expires.high) * word + (low - expires.low);
    const isKnown = late >= 0 && late < Number.MAX_SAFE_INTEGER;
    // the guest's clock may run at another rate: so its own time is converted
    const due = isKnown ? this.#toTime(cpuEvents.cursor.timestamp - BigInt(late), cpu.number) : Number.NaN;
    cpu.dueTimers.push(due);
  }
}

/** The address of a timer; kernel addresses differ in the lower 52 bits. */
function timerAt(view: DataView, at: number): number {
  return (view.getUint32(at + 4, true) & 0xfffff) * word + view.getUint32(at, true);
}
