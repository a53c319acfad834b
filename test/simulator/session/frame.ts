/** Work of a CPU that goes before the current task's: an interrupt handler, or what surrounds one and leaves no mark. */
export interface Frame {
  readonly kind: 'irq' | 'softirq' | 'hidden';
  readonly number: number;
  readonly name: string;
  leftNs: number;
  /** Of several frames that are one handler: what is recorded of it. */
  readonly part?: 'begin' | 'middle' | 'end';
  /** After the handler's end was recorded. */
  readonly end?: () => void;
}

/** Number of irqs that are no device's: they have a name only. */
export const noDevice = -1;

/** A part of the interrupt of a CPU's timer. */
export function timerIrq(part: Frame['part'] & string, leftNs: number, end: () => void): Frame {
  return { kind: 'irq', number: noDevice, name: 'local_timer', part, leftNs, end };
}

export function hidden(leftNs: number, end: () => void): Frame {
  return { kind: 'hidden', number: 0, name: '', leftNs, end };
}

/** The frame that is seen if frames of the innermost one's kind are not recorded. */
export function below(frames: readonly Frame[]): Frame | undefined {
  const seen = frames.filter(({ kind }) => kind !== 'hidden');
  return seen.findLast(({ kind }) => kind !== seen.at(-1)!.kind);
}
