import type { Frame } from './frame.ts';

/** An interrupt, or a softirq, and the name of its handler. */
export interface Handler {
  readonly number: number;
  readonly name: string;
}

/** A stretch of a CPU. All times of the truth are nanoseconds of the host's clock. */
export interface CpuSpan {
  readonly from: number;
  to: number;
  readonly tid: number;
  readonly comm: string;
  /** What was handled; the inner one, if one interrupted the other. */
  readonly irq?: Handler;
  readonly softirq?: Handler;
  /** The softirq that this irq interrupted, or the other way round. */
  readonly below?: Handler;
}

export type VcpuState =
  /** On host CPU `cpu`, and runs guest code. */
  | 'guest'
  /** On host CPU `cpu`, between kvm_exit and kvm_entry; `number` is the exit's reason. */
  | 'hypervisor'
  /** On host CPU `cpu`, which handles an interrupt. */
  | 'host-irq'
  | 'host-softirq'
  /** Off, and runnable on host CPU `cpu`: preempted, or woken and not yet on it. */
  | 'preempted'
  | 'woken'
  | 'asleep'
  /** The guest is stopped, whatever its thread does. */
  | 'paused';

export interface VcpuSpan {
  readonly from: number;
  to: number;
  readonly state: VcpuState;
  readonly cpu: number;
  readonly number: number;
  readonly name: string;
  /** Why it left guest code, while it has not entered it again. */
  readonly exit?: Handler;
  /** The softirq that this irq interrupted, or the other way round. */
  readonly below?: Handler;
}

export type WaitKind = 'wakeup' | 'preempted' | 'stolen' | 'interrupted';

/** A guest's task that waits. */
export interface OpenWait {
  readonly kind: WaitKind;
  readonly tid: number;
  readonly comm: string;
  readonly due: number;
  /** When it was woken or preempted: `due`, unless a timer was late. */
  readonly begin: number;
  readonly isDue: boolean;
  /** The guest's CPUs for which it waits, one after the other. */
  readonly places: readonly { readonly from: number; readonly cpu: number }[];
}

export interface EndedWait extends OpenWait {
  readonly end: number;
}

/** Stretches that follow each other without a gap: equal neighbours are one, those of no length are none. */
class Log<Span extends { readonly from: number; to: number }> {
  readonly spans: Span[] = [];
  protected last: Span | undefined;

  protected begin(now: number, span: Span): void {
    this.end(now);
    this.last = span;
  }

  end(now: number): void {
    const { last } = this;
    if (last === undefined) return;
    last.to = now;
    if (last.from < now && this.spans.at(-1) !== last) this.spans.push(last);
  }
}

export class CpuLog extends Log<CpuSpan> {
  set(
    now: number,
    { tid, comm }: { readonly tid: number; readonly comm: string },
    frame: Frame | undefined,
    below: Frame | undefined,
  ): void {
    const { last } = this;
    const handler = frame && { number: frame.number, name: frame.name };
    if (
      last?.tid === tid &&
      last.below?.number === below?.number &&
      last.irq?.number === (frame?.kind === 'irq' ? frame.number : undefined) &&
      last.softirq?.number === (frame?.kind === 'softirq' ? frame.number : undefined)
    )
      return;
    this.begin(now, {
      from: now,
      to: now,
      tid,
      comm,
      ...(handler && (frame.kind === 'irq' ? { irq: handler } : { softirq: handler })),
      ...(below && { below: { number: below.number, name: below.name } }),
    });
  }
}

export class VcpuLog extends Log<VcpuSpan> {
  set(now: number, state: VcpuState, cpu: number, exit?: Handler, handler = exit, below?: Handler): void {
    const { last } = this;
    const { number, name } = handler ?? { number: 0, name: '' };
    const isSame = last?.state === state && last.cpu === cpu && last.number === number;
    if (isSame && last.exit === exit && last.below?.number === below?.number) return;
    this.begin(now, {
      from: now,
      to: now,
      state,
      cpu,
      number,
      name,
      ...(exit && { exit }),
      ...(below && { below: { number: below.number, name: below.name } }),
    });
  }
}
