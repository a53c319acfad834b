import type { CpuSpan, EndedWait, VcpuSpan } from './truth.ts';

export type CauseKind =
  | 'guest-task'
  | 'guest-irq'
  | 'guest-softirq'
  | 'guest-kernel'
  | 'preempted'
  | 'woken-behind'
  | 'other-guest'
  | 'asleep'
  | 'hypervisor'
  | 'host-irq'
  | 'host-softirq'
  | 'paused';

/** Why a wait went on from one time to another. */
export interface Cause {
  readonly from: number;
  to: number;
  readonly kind: CauseKind;
  /** `host`, or the guest's name. */
  readonly machine: string;
  /** The task that ran, or the vCPU's thread that slept or was in the hypervisor; 0 and '' if it is none. */
  readonly tid: number;
  readonly comm: string;
  /** Of an interrupt, a softirq or an exit, and `name` is that of its handler or reason. */
  readonly number?: number;
  readonly name?: string;
}

/** A vCPU of a guest, and what it and the guest's CPU did. */
export interface VcpuTruth {
  readonly machine: string;
  /** Its number, which is that of the guest's CPU. */
  readonly cpu: number;
  readonly tid: number;
  readonly comm: string;
  readonly spans: readonly VcpuSpan[];
  readonly guestSpans: readonly CpuSpan[];
}

/** What ran on the host, to tell why guests' tasks waited. */
export class Causes {
  readonly #hostCpus: readonly (readonly CpuSpan[])[];
  readonly #byTid: ReadonlyMap<number, VcpuTruth>;
  readonly #vcpus: readonly VcpuTruth[];

  constructor(hostCpus: readonly (readonly CpuSpan[])[], vcpus: readonly VcpuTruth[]) {
    this.#hostCpus = hostCpus;
    this.#byTid = new Map(vcpus.map((vcpu) => [vcpu.tid, vcpu]));
    this.#vcpus = vcpus;
  }

  /** Causes that follow each other from the wait's due time to its end, without a gap. */
  of(machine: string, { places, due, end }: EndedWait): Cause[] {
    const causes: Cause[] = [];
    for (const [index, { from, cpu }] of places.entries()) {
      const vcpu = this.#vcpus.find((each) => each.machine === machine && each.cpu === cpu)!;
      this.#during(vcpu, Math.max(due, from), places[index + 1]?.from ?? end, (cause) => add(causes, cause));
    }
    return causes;
  }

  #during(vcpu: VcpuTruth, from: number, to: number, give: (cause: Cause) => void): void {
    const { machine, tid, comm } = vcpu;
    for (const span of within(vcpu.spans, from, to)) {
      const { number, name } = span;
      const time = cut(span, from, to);
      switch (span.state) {
        case 'paused':
          give({ ...time, kind: 'paused', machine, tid: 0, comm: '' });
          break;
        case 'asleep':
          give({ ...time, kind: 'asleep', machine, tid, comm });
          break;
        case 'hypervisor':
          give({ ...time, kind: 'hypervisor', machine, tid, comm, number, name });
          break;
        case 'host-irq':
        case 'host-softirq':
          give({ ...time, kind: span.state, machine: 'host', tid: 0, comm: '', number, name });
          break;
        case 'preempted':
        case 'woken':
          this.#behind(vcpu, span, time.from, time.to, give);
          break;
        case 'guest':
          this.#inGuest(vcpu, time.from, time.to, give);
          break;
      }
    }
  }

  /** The thread is off its CPU: what is current there is the cause. */
  #behind(
    { machine }: VcpuTruth,
    { state, cpu }: VcpuSpan,
    from: number,
    to: number,
    give: (cause: Cause) => void,
  ): void {
    for (const span of within(this.#hostCpus[cpu]!, from, to)) {
      const time = cut(span, from, to);
      const { tid, comm } = span;
      const other = this.#byTid.get(tid);
      if (other === undefined || other.machine === machine)
        give({ ...time, kind: state === 'woken' ? 'woken-behind' : 'preempted', machine: 'host', tid, comm });
      else
        for (const inner of within(other.guestSpans, time.from, time.to))
          give({
            ...cut(inner, time.from, time.to),
            kind: 'other-guest',
            machine: other.machine,
            tid: inner.tid,
            comm: inner.comm,
          });
    }
  }

  #inGuest({ machine, guestSpans }: VcpuTruth, from: number, to: number, give: (cause: Cause) => void): void {
    for (const span of within(guestSpans, from, to)) {
      const time = cut(span, from, to);
      const { tid, comm, irq, softirq } = span;
      if (irq !== undefined) give({ ...time, kind: 'guest-irq', machine, tid: 0, comm: '', ...irq });
      else if (softirq !== undefined)
        give({ ...time, kind: 'guest-softirq', machine, tid: 0, comm: '', ...softirq });
      else if (tid > 0) give({ ...time, kind: 'guest-task', machine, tid, comm });
      else give({ ...time, kind: 'guest-kernel', machine, tid: 0, comm: '' });
    }
  }
}

/** Adds a cause, or lengthens the last one if it goes on. */
function add(causes: Cause[], cause: Cause): void {
  if (cause.from >= cause.to) return;
  const last = causes.at(-1);
  if (
    last?.kind === cause.kind &&
    last.machine === cause.machine &&
    last.tid === cause.tid &&
    last.number === cause.number
  )
    last.to = cause.to;
  else causes.push(cause);
}

function cut(
  span: { readonly from: number; readonly to: number },
  from: number,
  to: number,
): { from: number; to: number } {
  return { from: Math.max(span.from, from), to: Math.min(span.to, to) };
}

/** The spans that overlap a stretch. */
function* within<Span extends { readonly from: number; readonly to: number }>(
  spans: readonly Span[],
  from: number,
  to: number,
): Generator<Span> {
  let low = 0;
  let high = spans.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (spans[middle]!.to <= from) low = middle + 1;
    else high = middle;
  }
  for (let index = low; index < spans.length && spans[index]!.from < to; index++) yield spans[index]!;
}
