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
