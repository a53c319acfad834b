import type { EventKind } from './options.ts';
import type { CpuSpan, EndedWait, Handler, VcpuSpan } from './truth.ts';

export type CauseKind =
  | 'guest-task'
  | 'guest-irq'
  | 'guest-softirq'
  | 'guest-kernel'
  | 'preempted'
  | 'woken-behind'
  | 'other-vcpu'
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
  readonly #host: ReadonlySet<EventKind>;
  readonly #guests: ReadonlySet<EventKind>;
  readonly #hostCpus: readonly (readonly CpuSpan[])[];
  readonly #byTid: ReadonlyMap<number, VcpuTruth>;
  readonly #vcpus: readonly VcpuTruth[];

  /** @param without kinds of events that were not recorded: then the causes are those that a reader can know */
  constructor(
    hostCpus: readonly (readonly CpuSpan[])[],
    vcpus: readonly VcpuTruth[],
    without: { readonly host?: readonly EventKind[]; readonly guests?: readonly EventKind[] } = {},
  ) {
    this.#host = new Set(without.host);
    this.#guests = new Set(without.guests);
    this.#hostCpus = hostCpus;
    this.#byTid = new Map(vcpus.map((vcpu) => [vcpu.tid, vcpu]));
    this.#vcpus = vcpus;
  }

  /** Causes that follow each other from the wait's due time to its end, without a gap. */
  of(machine: string, wait: EndedWait): Cause[] {
    const { places, due, end } = wait;
    const causes = new CauseList();
    for (const [index, { from, cpu }] of places.entries()) {
      const vcpu = this.#vcpus.find((each) => each.machine === machine && each.cpu === cpu)!;
      this.#during(vcpu, Math.max(due, from), places[index + 1]?.from ?? end, wait, causes);
    }
    return causes.all;
  }

  #during(vcpu: VcpuTruth, start: number, end: number, wait: EndedWait, causes: CauseList): void {
    const { machine, spans } = vcpu;
    const host = this.#host;
    for (let index = firstAfter(spans, start); index < spans.length && spans[index]!.from < end; index++) {
      const span = spans[index]!;
      const { state, exit } = span;
      const from = Math.max(start, span.from);
      const to = Math.min(end, span.to);
      if (state === 'paused') causes.add(from, to, 'paused', machine);
      else if (state === 'asleep') causes.add(from, to, 'asleep', machine, vcpu);
      else if (state === 'preempted' || state === 'woken') this.#behind(span, from, to, causes);
      else {
        const seen = handlerOf(span, host);
        if (seen !== undefined) causes.add(from, to, `host-${seen.kind}`, 'host', noTask, seen.handler);
        else if (exit !== undefined && !host.has('kvm'))
          causes.add(from, to, 'hypervisor', machine, vcpu, exit);
        else this.#inGuest(vcpu, from, to, wait, causes);
      }
    }
  }

  /** The thread is off its CPU: what is current there is the cause. */
  #behind({ state, cpu }: VcpuSpan, start: number, end: number, causes: CauseList): void {
    const spans = this.#hostCpus[cpu]!;
    for (let index = firstAfter(spans, start); index < spans.length && spans[index]!.from < end; index++) {
      const span = spans[index]!;
      const from = Math.max(start, span.from);
      const to = Math.min(end, span.to);
      const other = this.#byTid.get(span.tid);
      if (other === undefined)
        causes.add(from, to, state === 'woken' ? 'woken-behind' : 'preempted', 'host', span);
      else {
        const { guestSpans } = other;
        for (let inner = firstAfter(guestSpans, from); inner < guestSpans.length; inner++) {
          const task = guestSpans[inner]!;
          if (task.from >= to) break;
          causes.add(Math.max(from, task.from), Math.min(to, task.to), 'other-vcpu', other.machine, task);
        }
      }
    }
  }

  #inGuest(
    { machine, guestSpans }: VcpuTruth,
    start: number,
    end: number,
    wait: EndedWait,
    causes: CauseList,
  ): void {
    const guests = this.#guests;
    for (
      let index = firstAfter(guestSpans, start);
      index < guestSpans.length && guestSpans[index]!.from < end;
      index++
    ) {
      const span = guestSpans[index]!;
      const { tid, irq, softirq, below } = span;
      const from = Math.max(start, span.from);
      const to = Math.min(end, span.to);
      const handler = irq ?? softirq;
      const seen = handler && seenHandler(irq === undefined ? 'softirq' : 'irq', handler, below, guests);
      if (seen !== undefined) causes.add(from, to, `guest-${seen.kind}`, machine, noTask, seen.handler);
      // a task whose timer is due before it sleeps does not wait for itself, but for the guest to notice
      else if (tid > 0 && !(tid === wait.tid && to <= wait.begin))
        causes.add(from, to, 'guest-task', machine, span);
      else causes.add(from, to, 'guest-kernel', machine);
    }
  }
}

interface SeenHandler {
  readonly kind: 'irq' | 'softirq';
  readonly handler: Handler;
}

/** What is recorded of a handler and the one of the other kind that it interrupted. */
function seenHandler(
  kind: SeenHandler['kind'],
  handler: Handler,
  below: Handler | undefined,
  without: ReadonlySet<EventKind>,
): SeenHandler | undefined {
  if (!without.has(kind)) return { kind, handler };
  const other = kind === 'irq' ? 'softirq' : 'irq';
  return below === undefined || without.has(other) ? undefined : { kind: other, handler: below };
}

/** The same for the handler that a vCPU's host CPU runs; undefined if it runs none. */
function handlerOf(span: VcpuSpan, without: ReadonlySet<EventKind>): SeenHandler | undefined {
  const { state, below } = span;
  if (state !== 'host-irq' && state !== 'host-softirq') return undefined;
  return seenHandler(state === 'host-irq' ? 'irq' : 'softirq', span, below, without);
}

/** Whether a vCPU runs guest code, as far as is recorded. */
export function isSeenRunning(span: VcpuSpan, without: ReadonlySet<EventKind>): boolean {
  const { state, exit } = span;
  if (state === 'guest') return true;
  const isCurrent = state === 'hypervisor' || state === 'host-irq' || state === 'host-softirq';
  if (!isCurrent || handlerOf(span, without) !== undefined) return false;
  return exit === undefined || without.has('kvm');
}

const noTask = { tid: 0, comm: '' };

/** Causes in the order of time; one that goes on is lengthened. */
class CauseList {
  readonly all: Cause[] = [];

  add(
    from: number,
    to: number,
    kind: CauseKind,
    machine: string,
    { tid, comm }: { readonly tid: number; readonly comm: string } = noTask,
    handler?: Handler,
  ): void {
    // a task that moves when it is woken was nowhere else
    if (from >= to) return;
    const last = this.all.at(-1);
    if (
      last?.kind === kind &&
      last.machine === machine &&
      last.tid === tid &&
      last.number === handler?.number
    )
      last.to = to;
    else
      this.all.push(
        handler === undefined
          ? { from, to, kind, machine, tid, comm }
          : { from, to, kind, machine, tid, comm, number: handler.number, name: handler.name },
      );
  }
}

/** Index of the first span that ends after a time. */
function firstAfter(spans: readonly { readonly to: number }[], time: number): number {
  let low = 0;
  let high = spans.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (spans[middle]!.to <= time) low = middle + 1;
    else high = middle;
  }
  return low;
}
