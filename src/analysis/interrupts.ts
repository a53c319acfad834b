import type { Field } from '../trace/format/field.ts';
import { readBytes, readText, type RecordData } from '../trace/format/record-data.ts';
import { Samples } from './samples.ts';

/** Interrupts beyond this number share one row: a hostile file can name any number of them. */
const rowsMost = 1024;
const sharedMost = 16;
const nameMost = 64;
/** Maximum nesting depth of interrupts. */
const depthMost = 8;

/** The figures of one irq handler, or of one softirq vector, over all CPUs. */
export class Interrupt {
  readonly number: number;
  readonly name: string;
  /** Total time without nested interrupts, in ns. */
  totalNs = 0;
  readonly own = new Samples();
  worstAt = 0;
  worstCpu = -1;
  readonly nameBytes: Uint8Array;

  constructor(number: number, name: string, nameBytes: Uint8Array) {
    this.number = number;
    this.name = name;
    this.nameBytes = nameBytes;
  }
}

const noBytes = new Uint8Array(0);

/** All irq handlers, or all softirq vectors. */
export class InterruptTable {
  /** The row for all interrupts beyond the limit; no event has its number. */
  readonly others = new Interrupt(Number.NaN, '', noBytes);
  readonly #rows = new Map<number, Interrupt[]>();
  #count = 0;

  /** @param nameOf called once for a new number */
  ofNumber(number: number, nameOf: (number: number) => string): Interrupt {
    return this.#rows.get(number)?.[0] ?? this.#add(number, () => nameOf(number), noBytes);
  }

  /** Several handlers may share an irq: each has its own row. */
  ofHandler(number: number, record: RecordData, nameField: Field | undefined): Interrupt {
    const whole = nameField === undefined ? undefined : readBytes(record, nameField);
    const bytes = whole === undefined ? noBytes : nameIn(whole);
    for (const row of this.#rows.get(number) ?? []) if (sameBytes(row.nameBytes, bytes)) return row;
    const name = (): string => (nameField && readText(record, nameField))?.slice(0, nameMost) ?? '';
    return this.#add(number, name, bytes);
  }

  /** All interrupts with at least one complete run, then `others` if it has one. */
  *all(): Generator<Interrupt, void, undefined> {
    for (const rows of this.#rows.values()) for (const row of rows) if (row.own.count > 0) yield row;
    if (this.others.own.count > 0) yield this.others;
  }

  #add(number: number, name: () => string, nameBytes: Uint8Array): Interrupt {
    const rows = this.#rows.get(number);
    if (this.#count === rowsMost || rows?.length === sharedMost) return this.others;
    this.#count++;
    // copied, because the page will be overwritten; slice() of a Buffer does not copy
    const row = new Interrupt(number, name(), Uint8Array.from(nameBytes));
    if (rows === undefined) this.#rows.set(number, [row]);
    else rows.push(row);
    return row;
  }
}

/** The name up to its NUL; the bytes after it are stale. */
function nameIn(bytes: Uint8Array): Uint8Array {
  const end = bytes.indexOf(0);
  return bytes.subarray(0, end < 0 ? nameMost : Math.min(end, nameMost));
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let index = 0; index < a.length; index++) if (a[index] !== b[index]) return false;
  return true;
}

/** The stack of nested interrupts that run on a CPU. */
export class InterruptStack {
  /** Entries without an exit, and exits without an entry. */
  unmatched = 0;
  /** Time of irqs and of softirqs on this CPU, each without nested interrupts. */
  irqNs = 0;
  softirqNs = 0;
  readonly #rows: Interrupt[] = [];
  readonly #numbers = new Float64Array(depthMost);
  readonly #isIrq = new Uint8Array(depthMost);
  readonly #starts = new Float64Array(depthMost);
  readonly #nested = new Float64Array(depthMost);
  #depth = 0;

  enter(row: Interrupt, number: number, isIrq: boolean, now: number): void {
    // deeper than interrupts can nest, so exits must be missing
    if (this.#depth === depthMost) this.forget();
    const at = this.#depth++;
    this.#rows[at] = row;
    this.#numbers[at] = number;
    this.#isIrq[at] = isIrq ? 1 : 0;
    this.#starts[at] = now;
    this.#nested[at] = 0;
  }

  leave(number: number, isIrq: boolean, now: number, cpu: number): void {
    const wanted = isIrq ? 1 : 0;
    let at = this.#depth - 1;
    while (at >= 0 && (this.#numbers[at] !== number || this.#isIrq[at] !== wanted)) at--;
    if (at < 0) {
      this.unmatched++;
      return;
    }
    this.unmatched += this.#depth - 1 - at;
    this.#depth = at;
    const totalNs = now - this.#starts[at]!;
    const ownNs = totalNs - this.#nested[at]!;
    if (at > 0) this.#nested[at - 1]! += totalNs;
    if (ownNs < 0) {
      this.unmatched++;
      return;
    }
    const row = this.#rows[at]!;
    row.totalNs += ownNs;
    if (row.own.count === 0 || ownNs > row.own.max) {
      row.worstAt = now;
      row.worstCpu = cpu;
    }
    row.own.add(ownNs);
    if (isIrq) this.irqNs += ownNs;
    else this.softirqNs += ownNs;
  }

  /** Handles a task switch. If an interrupt was running, it was a softirq in a PREEMPT_RT thread that was preempted. */
  switched(): void {
    if (this.#depth > 0) this.forget();
  }

  /** Clears the stack: after lost events, the running interrupts are unknown. */
  forget(): void {
    this.unmatched += this.#depth;
    this.#depth = 0;
  }
}
