import { maxCpus } from '../base/cpu-list.ts';
import { Failure } from '../base/failure.ts';
import type { Trace } from './open.ts';

const events: ReadonlySet<string> = new Set(['kvm:kvm_entry', 'kvm:kvm_exit']);
/** Approximate limit of events to read: a running virtual CPU enters its guest thousands of times a second. */
const mostEvents = 1_000_000;

/**
 * Which virtual CPU each thread runs, according to the events `kvm_entry` and `kvm_exit` in a host's trace.
 * @param tids the threads to look for; all by default
 * @returns the virtual CPU by thread; empty if there are no such events, or the trace is not readable
 */
export async function vcpusOfThreads(trace: Trace, tids?: ReadonlySet<number>): Promise<Map<number, number>> {
  const vcpus = new Map<number, number>();
  const names = trace.formats().flatMap(({ fullName }) => (events.has(fullName) ? [fullName] : []));
  if (names.length === 0) return vcpus;
  let count = 0;
  try {
    for await (const batch of trace.events({ events: names, ...(tids !== undefined && { tasks: tids }) })) {
      for (const event of batch) {
        // kvm_exit of older kernels does not have it
        const vcpu = event.get('vcpu_id');
        if (typeof vcpu === 'number' && vcpu < maxCpus) vcpus.set(event.pid, vcpu);
        count++;
      }
      if (count >= mostEvents || vcpus.size === tids?.size) break;
    }
  } catch (cause) {
    // whoever reads all of the trace reports it
    if (!(cause instanceof Failure)) throw cause;
  }
  return vcpus;
}
