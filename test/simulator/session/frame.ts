/** Work of a CPU that goes before the current task's: an interrupt handler, or what surrounds one and leaves no mark. */
export interface Frame {
  readonly kind: 'irq' | 'softirq' | 'hidden';
  readonly number: number;
  readonly name: string;
  leftNs: number;
  /** After the handler's end was recorded. */
  readonly end?: () => void;
}

export function hidden(leftNs: number, end: () => void): Frame {
  return { kind: 'hidden', number: 0, name: '', leftNs, end };
}

/** The frame that is seen if frames of the innermost one's kind are not recorded. */
export function below(frames: readonly Frame[]): Frame | undefined {
  const seen = frames.filter(({ kind }) => kind !== 'hidden');
  return seen.findLast(({ kind }) => kind !== seen.at(-1)!.kind);
}
