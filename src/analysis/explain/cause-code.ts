import type { CauseKind } from './result.ts';

/** The kind of a cause as a number: its index in `causeKinds`. */
export const kind: Readonly<Record<CauseKind, number>> = {
  unknown: 0,
  paused: 1,
  preempted: 2,
  'woken-behind': 3,
  'other-guest': 4,
  asleep: 5,
  'host-irq': 6,
  'host-softirq': 7,
  hypervisor: 8,
  'guest-irq': 9,
  'guest-softirq': 10,
  'guest-task': 11,
  'guest-kernel': 12,
};

const kindUnit = 16;
const inferredUnit = 2 * kindUnit;

/** A cause in one number: its kind, whether it is inferred, and its CPU (-1 for none). */
export function causeCode(kind: number, cpu: number, isInferred: boolean): number {
  return kind + (isInferred ? kindUnit : 0) + (cpu + 1) * inferredUnit;
}

export function kindOf(code: number): number {
  return code % kindUnit;
}

export function isInferred(code: number): boolean {
  return code % inferredUnit >= kindUnit;
}

export function cpuOf(code: number): number {
  return Math.floor(code / inferredUnit) - 1;
}

/** Whether the vCPU is kept from running, as far as is known. */
export function isOff(kind_: number): boolean {
  return kind_ >= kind.paused && kind_ <= kind.hypervisor;
}

/** Whether somebody took the vCPU's time, which it would have used. */
export function isTheft(kind_: number): boolean {
  return isOff(kind_) && kind_ !== kind.asleep;
}
