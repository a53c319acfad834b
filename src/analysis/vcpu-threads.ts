import { vcpusOfThreads } from '../trace/kvm-entries.ts';
import type { Trace } from '../trace/open.ts';
import type { Session } from '../trace/session.ts';

type Threads = ReadonlyMap<number, number>;

/** Which threads of the host run the vCPUs of guests. */
export interface SessionThreads {
  /** Host thread id of each vCPU, by vCPU, for each guest by name; empty if unknown. */
  readonly of: (guest: string) => Threads;
  /** The guest whose threads are not in the host's file, and were found by the events of KVM. */
  readonly found: string | undefined;
}

/** Undefined if the host was not traced. */
export function hostTraceOf({ machines }: Pick<Session, 'machines'>): Trace | undefined {
  const named = machines.find(({ trace }) => trace.source.guests.length > 0);
  if (named !== undefined) return named.trace;
  const [first] = machines;
  // its file may not name its guests
  return first?.name === 'host' && first.hasHostTimes ? first.trace : undefined;
}

/**
 * The threads that the host's file names. If it names none of one guest only, they are those of the events of KVM that
 * run the vCPUs of no other guest: one thread for each vCPU, or else there was another guest, and they stay unknown.
 * Reads the host's trace in this case.
 */
export async function threadsOf(session: Pick<Session, 'machines'>): Promise<SessionThreads> {
  const { machines } = session;
  const host = hostTraceOf(session);
  const named = new Map<string, Threads>();
  if (host === undefined) return { of: () => new Map(), found: undefined };
  const ids = new Set(machines.map(({ trace }) => trace.source.traceId));
  for (const { name, traceId, vcpuTids } of host.source.guests)
    if (!ids.has(traceId)) named.set(name, vcpuTids);
  for (const { name, trace, vcpuTids } of machines) if (trace !== host) named.set(name, vcpuTids);
  const unnamed = [...named].flatMap(([name, { size }]) => (size === 0 ? [name] : []));
  const [guest] = unnamed;
  if (guest === undefined || unnamed.length > 1)
    return { of: (name) => named.get(name) ?? new Map(), found: undefined };
  const others = new Set([...named.values()].flatMap((threads) => [...threads.values()]));
  const cpus = machines.find(({ name }) => name === guest)?.trace.source.cpuCount ?? Infinity;
  const threads = new Map<number, number>();
  let isOne = true;
  for (const [tid, vcpu] of await vcpusOfThreads(host)) {
    if (others.has(tid)) continue;
    isOne &&= !threads.has(vcpu) && vcpu < cpus;
    threads.set(vcpu, tid);
  }
  const isFound = isOne && threads.size > 0;
  if (isFound) named.set(guest, threads);
  return { of: (name) => named.get(name) ?? new Map(), found: isFound ? guest : undefined };
}
