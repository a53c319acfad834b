import { Failure } from '../../base/failure.ts';
import { vcpusOfThreads } from '../../trace/kvm-entries.ts';
import { openTrace } from '../../trace/open.ts';
import type { VcpuThreads } from './vcpu-threads.ts';

/**
 * Which threads run which virtual CPUs, according to the events of KVM in a host's recording.
 * @param tids the threads of one QEMU
 * @returns empty if the recording has no such events
 */
export async function threadsByEntries(path: string, tids: ReadonlySet<number>): Promise<VcpuThreads> {
  try {
    const trace = await openTrace(path);
    try {
      return new Map([...(await vcpusOfThreads(trace, tids))].map(([tid, vcpu]) => [vcpu, tid]));
    } finally {
      await trace.close();
    }
  } catch (cause) {
    // the recording is not readable, which its conversion reports
    if (!(cause instanceof Failure)) throw cause;
    return new Map();
  }
}
