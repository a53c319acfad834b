import { maxCpus } from '../../base/cpu-list.ts';
import { Failure } from '../../base/failure.ts';
import { openTrace } from '../../trace/open.ts';
import type { VcpuThreads } from './vcpu-threads.ts';

const event = 'kvm:kvm_entry';
/** Approximate limit of events to read: a running virtual CPU enters its guest thousands of times a second. */
const mostEvents = 1_000_000;

/**
 * Which threads run which virtual CPUs, according to the `kvm_entry` events in a host's recording.
 * @param tids the threads of one QEMU
 * @returns empty if the recording has no such events
 */
export async function threadsByEntries(path: string, tids: ReadonlySet<number>): Promise<VcpuThreads> {
  const threads = new Map<number, number>();
  try {
    const trace = await openTrace(path);
    try {
      let events = 0;
      for await (const batch of trace.events({ events: [event], tasks: tids })) {
        for (const entry of batch) {
          const vcpu = entry.get('vcpu_id');
          if (typeof vcpu === 'number' && vcpu < maxCpus) threads.set(vcpu, entry.pid);
          events += 1;
        }
        if (events >= mostEvents || threads.size === tids.size) break;
      }
    } finally {
      await trace.close();
    }
  } catch (cause) {
    // this kernel has no such event, or the recording is not readable, which its conversion reports
    if (!(cause instanceof Failure)) throw cause;
  }
  return threads;
}
