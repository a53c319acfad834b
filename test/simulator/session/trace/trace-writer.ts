import type { Random } from '../../random.ts';
import { type Frame, noDevice } from '../frame.ts';
import type { EventKind } from '../options.ts';
import type { Task } from '../task.ts';
import { PageWriter } from './page-writer.ts';
import {
  codeAddress,
  type EventType,
  eventTypes,
  fillCommon,
  fillIrqEntry,
  fillKvmEntry,
  fillKvmExit,
  fillSwitch,
  fillTask,
  irqEntryBytes,
} from './records.ts';

/** A CPU on which something happens. */
export interface TracedCpu {
  readonly index: number;
  readonly current: { readonly tid: number };
  readonly frames: readonly Frame[];
}

/** A high resolution timer of a guest's kernel. */
export interface Timer {
  readonly address: bigint;
  /** By the guest's CLOCK_MONOTONIC. */
  readonly expires: number;
}

/** A stretch of a CPU's trace from the last event before something was not recorded to the first one after it. */
export interface Gap {
  readonly cpu: number;
  readonly from: number;
  readonly to: number;
}

export interface TraceFaults {
  readonly loss: number;
  readonly lossLength: number;
  readonly noSwitchFromIdle: ReadonlySet<number>;
  readonly without: ReadonlySet<EventKind>;
}

/** LOCAL_TIMER_VECTOR of x86. */
const timerVector = 236;
/** TRACE_FLAG_* of trace_events.h. */
const inHardirq = 0x08;
const inSoftirq = 0x10;

interface Ring {
  readonly pages: PageWriter;
  /** Events to lose, and lost so far. */
  losing: number;
  lost: number;
  /** When the last event was recorded, and the first switch. */
  last: number;
  firstSwitch: number | undefined;
  missesSwitch: boolean;
}

/** Records what happens on a machine's CPUs into their rings, as well as that goes. */
export class TraceWriter {
  /** Stretches in which events were lost; times are the host's. */
  readonly lost: Gap[] = [];
  /** Stretches in which a switch was not recorded. */
  readonly missing: Gap[] = [];
  events = 0;
  readonly #stamp: () => number;
  readonly #now: () => number;
  readonly #random: Random;
  readonly #faults: TraceFaults;
  readonly #rings: Ring[];
  #space = new PageWriter();

  /** @param stamp the time by the machine's own clock @param now by the host's */
  constructor(cpus: number, stamp: () => number, now: () => number, random: Random, faults: TraceFaults) {
    this.#stamp = stamp;
    this.#now = now;
    this.#random = random;
    this.#faults = faults;
    this.#rings = Array.from({ length: cpus }, () => ({
      pages: new PageWriter(),
      losing: 0,
      lost: 0,
      last: now(),
      firstSwitch: undefined,
      missesSwitch: false,
    }));
  }

  /** The pages of each CPU. Nothing may be recorded afterwards. */
  end(): Uint8Array[] {
    for (const [cpu, { lost, last }] of this.#rings.entries())
      if (lost > 0) this.lost.push({ cpu, from: last, to: this.#now() });
    return this.#rings.map(({ pages }) => pages.end());
  }

  /** When each CPU's first switch was recorded: before it nobody can know what ran. */
  get firstSwitches(): (number | undefined)[] {
    return this.#rings.map(({ firstSwitch }) => firstSwitch);
  }

  switched(cpu: TracedCpu, prev: Task, state: bigint, next: Task): void {
    const ring = this.#rings[cpu.index]!;
    if (!prev.isIdle) this.#runtime(cpu, prev);
    if (prev.isIdle && this.#faults.noSwitchFromIdle.has(cpu.index)) {
      ring.missesSwitch = true;
      return;
    }
    const at = this.#begin(cpu, eventTypes.switch);
    if (at === 0) return;
    fillSwitch(this.#space, at, prev, state, next);
    ring.firstSwitch ??= this.#now();
  }

  /** `sched_stat_runtime`, which comes before a switch, and which no analysis reads. */
  #runtime(cpu: TracedCpu, task: Task): void {
    const at = this.#begin(cpu, eventTypes.runtime);
    if (at > 0) fillTask(this.#space, at, task);
  }

  waking(cpu: TracedCpu, task: Task): void {
    const at = this.#begin(cpu, eventTypes.waking);
    if (at === 0) return;
    fillTask(this.#space, at, task);
    // where it was: the scheduler chooses another CPU only afterwards (try_to_wake_up)
    this.#space.view.setInt32(at + 32, task.cpu, true);
  }

  migrated(cpu: TracedCpu, task: Task, dest: number): void {
    const at = this.#begin(cpu, eventTypes.migrate);
    if (at === 0) return;
    fillTask(this.#space, at, task);
    this.#space.view.setInt32(at + 32, task.cpu, true);
    this.#space.view.setInt32(at + 36, dest, true);
  }

  handler(cpu: TracedCpu, { kind, number, name, part }: Frame, isEntry: boolean): void {
    if (part !== undefined && part !== (isEntry ? 'begin' : 'end')) return;
    if (number === noDevice) {
      const at = this.#begin(cpu, isEntry ? eventTypes.vectorEntry : eventTypes.vectorExit);
      if (at > 0) this.#space.view.setInt32(at + 8, timerVector, true);
    } else if (kind === 'softirq') {
      const at = this.#begin(cpu, isEntry ? eventTypes.softirqEntry : eventTypes.softirqExit);
      if (at > 0) this.#space.view.setUint32(at + 8, number, true);
    } else if (isEntry) {
      const text = Buffer.from(`${name}\0`);
      const bytes = irqEntryBytes(text);
      const at = this.#begin(cpu, eventTypes.irqEntry, bytes);
      if (at > 0) fillIrqEntry(this.#space, at, number, text, bytes);
    } else {
      const at = this.#begin(cpu, eventTypes.irqExit);
      if (at === 0) return;
      this.#space.view.setInt32(at + 8, number, true);
      this.#space.view.setInt32(at + 12, 1, true);
    }
  }

  timerStart(cpu: TracedCpu, { address, expires }: Timer): void {
    const at = this.#begin(cpu, eventTypes.timerStart);
    if (at === 0) return;
    const { view } = this.#space;
    view.setBigUint64(at + 8, address, true);
    view.setBigUint64(at + 16, codeAddress, true);
    view.setBigInt64(at + 24, BigInt(expires), true);
    view.setBigInt64(at + 32, BigInt(expires), true);
  }

  /** @param now by CLOCK_MONOTONIC */
  timerEntry(cpu: TracedCpu, timer: Timer, now: number): void {
    const at = this.#timer(cpu, eventTypes.timerEntry, timer);
    if (at === 0) return;
    this.#space.view.setBigInt64(at + 16, BigInt(now), true);
    this.#space.view.setBigUint64(at + 24, codeAddress, true);
  }

  timerExit(cpu: TracedCpu, timer: Timer): void {
    this.#timer(cpu, eventTypes.timerExit, timer);
  }

  timerCancel(cpu: TracedCpu, timer: Timer): void {
    this.#timer(cpu, eventTypes.timerCancel, timer);
  }

  kvmEntry(cpu: TracedCpu, vcpu: number): void {
    const at = this.#begin(cpu, eventTypes.kvmEntry);
    if (at > 0) fillKvmEntry(this.#space, at, vcpu);
  }

  kvmExit(cpu: TracedCpu, vcpu: number, reason: number): void {
    const at = this.#begin(cpu, eventTypes.kvmExit);
    if (at > 0) fillKvmExit(this.#space, at, vcpu, reason);
  }

  #timer(cpu: TracedCpu, type: EventType, { address }: Timer): number {
    const at = this.#begin(cpu, type);
    if (at > 0) this.#space.view.setBigUint64(at + 8, address, true);
    return at;
  }

  /** Makes room for an event. @returns where its data is, 0 if it is not recorded */
  #begin(cpu: TracedCpu, { id, bytes, kind }: EventType, length = bytes): number {
    if (this.#faults.without.has(kind)) return 0;
    const ring = this.#rings[cpu.index]!;
    if (ring.losing > 0) {
      ring.losing--;
      ring.lost++;
      return 0;
    }
    const now = this.#now();
    const gap = { cpu: cpu.index, from: ring.last, to: now };
    if (ring.lost > 0) this.lost.push(gap);
    if (ring.missesSwitch) this.missing.push(gap);
    const { pages } = ring;
    const at = pages.reserve(this.#stamp(), length, ring.lost > 0 ? ring.lost : undefined);
    ring.missesSwitch = false;
    ring.lost = 0;
    ring.last = now;
    this.events++;
    if (this.#faults.loss > 0 && this.#random.chance(this.#faults.loss))
      ring.losing = 1 + this.#random.below(this.#faults.lossLength);
    this.#space = pages;
    let flags = 0;
    for (const frame of cpu.frames) flags |= frame.kind === 'softirq' ? inSoftirq : inHardirq;
    fillCommon(pages, at, id, flags, cpu.current.tid);
    return at;
  }
}
