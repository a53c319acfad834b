import { type InputNotes, noteKind } from '../text/part-notes.ts';
import type { TextBuffer } from '../text/text-buffer.ts';

const idle = Buffer.from('<idle>');
const unknown = Buffer.from('<...>');
/** The kernel's limit for pids. */
const maxLearned = 1 << 22;
/** Limit for the labels that are kept, of all CPUs together. */
const maxLabels = 100_000;
const nameWidth = 16;
const shortNameWidth = 8;

interface Label {
  readonly text: Uint8Array;
  readonly nameLength: number;
  /** Whether the trace does not name the task, so that an event may still name it. */
  readonly isOpen: boolean;
}

/**
 * Names of tasks as bytes, for printing. Printing sched events adds the names in them, but never renames a task.
 */
export class PrintTaskNames {
  readonly #names = new Map<number, Uint8Array>();
  readonly #learned = new Map<number, Uint8Array>();
  readonly #labels: (Map<number, Label> | undefined)[] = [];
  #labelCount = 0;
  readonly #isShort: boolean;
  readonly #notes: InputNotes | undefined;

  /** @param isShort labels for the latency format */
  constructor(
    names: Iterable<readonly [pid: number, name: Uint8Array]>,
    isShort: boolean,
    notes?: InputNotes,
  ) {
    this.#notes = notes;
    for (const [pid, name] of names) this.#names.set(pid, name);
    this.#isShort = isShort;
  }

  /** `<idle>` for pid 0, `<...>` for an unknown task. */
  get(pid: number): Uint8Array {
    return pid === 0 ? idle : (this.#names.get(pid) ?? this.#learned.get(pid) ?? unknown);
  }

  /** The beginning of a line: `%16s-%-5d [%03d]`, or `%8.8s-%-5d %3d` in the latency format. */
  label(pid: number, cpu: number): Uint8Array {
    return this.#label(pid, cpu).text;
  }

  #label(pid: number, cpu: number): Label {
    const known = this.#labels[cpu]?.get(pid);
    if (known !== undefined) return known;
    if (this.#labelCount >= maxLabels) {
      this.#labels.length = 0;
      this.#labelCount = 0;
    }
    this.#labelCount++;
    const task = this.column(pid);
    const place = this.#isShort ? String(cpu).padStart(3) : `[${String(cpu).padStart(3, '0')}]`;
    const text = Buffer.from(`${task}-${String(pid).padEnd(5)} ${place}`, 'latin1');
    const label = { text, nameLength: task.length, isOpen: pid !== 0 && !this.#names.has(pid) };
    (this.#labels[cpu] ??= new Map()).set(pid, label);
    return label;
  }

  /** A task's name as in its label. */
  column(pid: number): string {
    const name = Buffer.from(this.get(pid)).toString('latin1');
    return this.#isShort ? name.slice(0, shortNameWidth).padStart(shortNameWidth) : name.padStart(nameWidth);
  }

  /** Writes a label, and a note if earlier events may have named the task. */
  writeLabel(out: TextBuffer, pid: number, cpu: number): void {
    const { text, nameLength, isOpen } = this.#label(pid, cpu);
    if (isOpen && this.#notes !== undefined) {
      const { notes, input } = this.#notes;
      notes.add(noteKind.label, input, out.length, pid, nameLength, 0);
    }
    out.copy(text);
  }

  /** Names a task that has no name yet. The bytes are copied. */
  learn(pid: number, source: Uint8Array, start: number, end: number): void {
    if (pid === 0 || this.#names.has(pid) || this.#learned.has(pid)) return;
    if (this.#names.size + this.#learned.size >= maxLearned) return;
    // not slice(), which returns a view of a Buffer
    const name = new Uint8Array(source.subarray(start, end));
    this.#learned.set(pid, name);
    for (const labels of this.#labels) labels?.delete(pid);
    if (this.#notes === undefined) return;
    const { notes, input } = this.#notes;
    notes.add(noteKind.learned, input, 0, pid, notes.text(name), 0);
  }

  /** Pids of all tasks of that name. */
  pidsOf(name: string): number[] {
    const wanted = Buffer.from(name);
    return [...this.#names, ...this.#learned].filter(([, text]) => wanted.equals(text)).map(([pid]) => pid);
  }

  /** Forgets all learned names. */
  forget(): void {
    for (const pid of this.#learned.keys()) for (const labels of this.#labels) labels?.delete(pid);
    this.#learned.clear();
  }
}
