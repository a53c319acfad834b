import type { TracedGuest } from '../dat/guest-option.ts';
import type { Recording } from './recording-format.ts';

/** The guests of a host's recording. For a vCPU that had several threads, gives the last one. */
export function tracedGuests({ guests = [] }: Recording): TracedGuest[] {
  return guests.map(({ name, traceId, vcpus }) => ({
    name: name === '' ? 'guest' : name,
    traceId: BigInt(traceId),
    vcpuTids: new Map(vcpus.map(({ vcpu, tid }) => [vcpu, tid])),
  }));
}
