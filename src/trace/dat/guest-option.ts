import { maxCpus } from '../../base/cpu-list.ts';
import { ByteReader, TraceFileError } from './read/byte-reader.ts';
import { ByteWriter } from './write/byte-writer.ts';

/** A guest of the traced host: the GUEST option of the host's trace.dat. */
export interface TracedGuest {
  readonly name: string;
  /** TRACEID of the guest's file. */
  readonly traceId: bigint;
  /** Host thread id of each vCPU, by vCPU; unknown ones are left out. */
  readonly vcpuTids: ReadonlyMap<number, number>;
}

/** -1 as a u32, as trace-cmd writes it. */
const unknownTid = 0xffff_ffff;

/** Parses the content of the option. Throws TraceFileError. */
export function parseGuest(content: Buffer): TracedGuest {
  const reader = ByteReader.ofMemory(content);
  const name = Buffer.from(reader.string(), 'latin1').toString();
  const traceId = reader.u64();
  const count = reader.u32();
  if (count > maxCpus) throw new TraceFileError(`GUEST has ${count} vCPUs`);
  const vcpuTids = new Map<number, number>();
  for (let index = 0; index < count; index++) {
    const vcpu = reader.u32();
    const tid = reader.u32();
    if (tid !== unknownTid) vcpuTids.set(vcpu, tid);
  }
  return { name, traceId, vcpuTids };
}

/**
 * The content of the option. Lists all vCPUs up to the highest one, because trace-cmd rejects a file with a vCPU number
 * that is not below their count.
 */
export function formatGuest({ name, traceId, vcpuTids }: TracedGuest): Buffer {
  const count = Math.max(0, ...[...vcpuTids.keys()].map((vcpu) => vcpu + 1));
  const writer = new ByteWriter()
    .bytes(Buffer.from(`${name}\0`))
    .u64(traceId)
    .u32(count);
  for (let vcpu = 0; vcpu < count; vcpu++) writer.u32(vcpu).u32(vcpuTids.get(vcpu) ?? unknownTid);
  return writer.finish();
}
