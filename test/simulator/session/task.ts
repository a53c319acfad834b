import { commBytes } from './trace/records.ts';
import type { OpenWait } from './truth.ts';

/** Priorities as the kernel prints them. */
export const normalPrio = 120;
export const fifoPrio = 49;

export type TaskState = 'running' | 'ready' | 'asleep';

/** A thread, of the host or of a guest. */
export class Task {
  readonly tid: number;
  readonly comm: string;
  readonly prio: number;
  readonly commBytes: Uint8Array;
  /** Where it may run; undefined: everywhere. */
  pinnedTo: number | undefined;
  /** Where it runs, waits or last ran. */
  cpu = 0;
  state: TaskState = 'asleep';
  /** It is ready because it was woken, not because it was preempted. */
  isWoken = false;
  /** A quota keeps it from running. */
  isThrottled = false;
  /** How long it still runs until `act`. */
  leftNs = Infinity;
  /** Its timer expired before it slept. */
  mustNotSleep = false;
  wait: OpenWait | undefined;

  constructor(tid: number, comm: string, prio = normalPrio) {
    this.tid = tid;
    this.comm = comm;
    this.prio = prio;
    this.commBytes = commBytes(comm);
  }

  get isIdle(): boolean {
    return this.tid === 0;
  }

  get isFifo(): boolean {
    return this.prio < 100;
  }

  mayRunOn(cpu: number): boolean {
    return this.pinnedTo === undefined || this.pinnedTo === cpu;
  }

  /** It has run for `leftNs`. */
  act(): void {
    this.leftNs = Infinity;
  }

  /** It begins to execute: it is current and no interrupt is handled. */
  go(): void {}

  /** It ceases to execute. */
  stop(): void {}

  /** Where it waits, or whether, has changed. */
  noteState(): void {}
}
