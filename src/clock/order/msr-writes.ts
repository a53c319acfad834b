import type { EventFormat } from '../../trace/format/event-format.ts';
import type { RecordData } from '../../trace/format/record-data.ts';
import { deadlineMsr } from './deadlines.ts';

/** Reads the deadlines of one type of events: the host's kvm_msr or the guest's write_msr. */
export class MsrWrites {
  readonly id: number;
  readonly #number: number;
  readonly #value: number;
  /** Offset of an integer that must not be 0, and sizes and offsets of those that must be. */
  readonly #isWrite: number | undefined;
  readonly #failed: readonly [offset: number, bytes: number];
  readonly #needBytes: number;

  private constructor(
    format: EventFormat,
    offsets: readonly number[],
    isWrite: number | undefined,
    failedBytes: number,
  ) {
    const [number = 0, value = 0, failed = 0] = offsets;
    this.id = format.id;
    this.#number = number;
    this.#value = value;
    this.#isWrite = isWrite;
    this.#failed = [failed, failedBytes];
    this.#needBytes = Math.max(number + 4, value + 8, failed + failedBytes, (isWrite ?? 0) + 4);
  }

  /** Undefined if there is no such event, or its fields are not those that KVM has. */
  static ofHost(formats: readonly EventFormat[]): MsrWrites | undefined {
    const format = formats.find(({ fullName }) => fullName === 'kvm:kvm_msr');
    const offsets = offsetsOf(format, [['ecx', 4], ['data', 8], ['exception', 1]]); // biome-ignore format: one line
    const [isWrite] = offsetsOf(format, [['write', 4]]) ?? [];
    return format === undefined || offsets === undefined || isWrite === undefined
      ? undefined
      : new MsrWrites(format, offsets, isWrite, 1);
  }

  static ofGuest(formats: readonly EventFormat[]): MsrWrites | undefined {
    const format = formats.find(({ fullName }) => fullName === 'msr:write_msr');
    const offsets = offsetsOf(format, [['msr', 4], ['val', 8], ['failed', 4]]); // biome-ignore format: one line
    return format === undefined || offsets === undefined
      ? undefined
      : new MsrWrites(format, offsets, undefined, 4);
  }

  /** The deadline that an event of this type writes; undefined if it is another write, or failed. */
  deadlineOf({ view, dataOffset, dataBytes }: RecordData): bigint | undefined {
    if (dataBytes < this.#needBytes || view.getUint32(dataOffset + this.#number, true) !== deadlineMsr)
      return undefined;
    if (this.#isWrite !== undefined && view.getUint32(dataOffset + this.#isWrite, true) === 0)
      return undefined;
    const [failed, bytes] = this.#failed;
    const at = dataOffset + failed;
    if ((bytes === 1 ? view.getUint8(at) : view.getUint32(at, true)) !== 0) return undefined;
    return view.getBigUint64(dataOffset + this.#value, true);
  }
}

function offsetsOf(
  format: EventFormat | undefined,
  wanted: readonly (readonly [name: string, bytes: number])[],
): number[] | undefined {
  const offsets = wanted.map(([name, bytes]) => {
    const field = format?.fields.find((each) => each.name === name);
    return field?.content === 'integer' && field.bytes === bytes ? field.offset : undefined;
  });
  return offsets.every((offset) => offset !== undefined) ? offsets : undefined;
}
