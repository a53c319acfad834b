import type { EventKind } from '../options.ts';

export interface EventType {
  readonly id: number;
  readonly bytes: number;
  readonly kind: EventKind;
}

/** Ids and sizes as in the formats of Debian's kernel 6.1 in test/fixtures/A, and of others in test/fixtures/*-format. */
export const eventTypes = {
  switch: { id: 319, bytes: 64, kind: 'switch' },
  runtime: { id: 307, bytes: 48, kind: 'switch' },
  wakeup: { id: 321, bytes: 36, kind: 'waking' },
  waking: { id: 322, bytes: 36, kind: 'waking' },
  migrate: { id: 318, bytes: 40, kind: 'migrate' },
  irqEntry: { id: 152, bytes: 16, kind: 'irq' },
  irqExit: { id: 151, bytes: 16, kind: 'irq' },
  vectorEntry: { id: 30005, bytes: 12, kind: 'irq' },
  vectorExit: { id: 30006, bytes: 12, kind: 'irq' },
  softirqEntry: { id: 150, bytes: 12, kind: 'softirq' },
  softirqExit: { id: 149, bytes: 12, kind: 'softirq' },
  timerStart: { id: 379, bytes: 48, kind: 'hrtimer' },
  timerEntry: { id: 378, bytes: 32, kind: 'hrtimer' },
  timerExit: { id: 377, bytes: 16, kind: 'hrtimer' },
  timerCancel: { id: 376, bytes: 16, kind: 'hrtimer' },
  kvmEntry: { id: 30001, bytes: 36, kind: 'kvm' },
  kvmExit: { id: 30002, bytes: 72, kind: 'kvm' },
} as const satisfies Readonly<Record<string, EventType>>;

/** A task's name in a record: 16 bytes that end with a NUL. */
export function commBytes(name: string): Uint8Array {
  const bytes = new Uint8Array(16);
  bytes.set(Buffer.from(name).subarray(0, 15));
  return bytes;
}

/** A task as records name it. */
export interface NamedTask {
  readonly tid: number;
  readonly prio: number;
  readonly commBytes: Uint8Array;
}

/** Where a record's data is written: `put` copies bytes. */
export interface RecordSpace {
  readonly view: DataView;
  put(at: number, bytes: Uint8Array): void;
}

export function fillCommon({ view }: RecordSpace, at: number, id: number, flags: number, pid: number): void {
  view.setUint16(at, id, true);
  view.setUint8(at + 2, flags);
  view.setInt32(at + 4, pid, true);
}

/** `sched_waking`, and the fields that `sched_switch` and `sched_migrate_task` begin with: name, pid, priority. */
export function fillTask(space: RecordSpace, at: number, { tid, prio, commBytes }: NamedTask): void {
  space.put(at + 8, commBytes);
  space.view.setInt32(at + 24, tid, true);
  space.view.setInt32(at + 28, prio, true);
}

export function fillSwitch(
  space: RecordSpace,
  at: number,
  prev: NamedTask,
  state: bigint,
  next: NamedTask,
): void {
  const { view } = space;
  fillTask(space, at, prev);
  view.setBigInt64(at + 32, state, true);
  space.put(at + 40, next.commBytes);
  view.setInt32(at + 56, next.tid, true);
  view.setInt32(at + 60, next.prio, true);
}

/** @param bytes of the whole record, as `irqEntryBytes` says */
export function fillIrqEntry(
  space: RecordSpace,
  at: number,
  irq: number,
  handler: Uint8Array,
  bytes: number,
): void {
  space.view.setInt32(at + 8, irq, true);
  space.view.setUint32(at + 12, 16 | ((bytes - 16) << 16), true);
  space.put(at + 16, handler);
}

/** Size of an `irq_handler_entry` whose handler's name ends with a NUL. */
export function irqEntryBytes(handler: Uint8Array): number {
  return 16 + Math.ceil(handler.length / 4) * 4;
}

/** Whatever address: nobody looks at code. */
export const codeAddress = 0xffff_ffff_8100_0000n;
const kvmIsaVmx = 1;

export function fillKvmEntry({ view }: RecordSpace, at: number, vcpu: number): void {
  view.setUint32(at + 8, vcpu, true);
  view.setBigUint64(at + 16, codeAddress, true);
}

/** @param reason one of VMX_EXIT_REASONS */
export function fillKvmExit({ view }: RecordSpace, at: number, vcpu: number, reason: number): void {
  view.setUint32(at + 8, reason, true);
  view.setBigUint64(at + 16, codeAddress, true);
  view.setUint32(at + 24, kvmIsaVmx, true);
  view.setUint32(at + 56, vcpu, true);
}
