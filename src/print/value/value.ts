import type { RecordData } from '../../trace/format/record-data.ts';

/** The result of `Value.number` for a value that does not fit in a number: use `big`. */
export const tooBig = -1;

/** An unsigned 64-bit value computed from a record. */
export interface Value {
  /** The value if it is at most 2^53 - 1, otherwise `tooBig`. */
  readonly number: (record: RecordData) => number;
  readonly big: (record: RecordData) => bigint;
  /**
   * As a number if it is at most 2^53 - 1. Operations call this once for each operand: a call of `number` and then of
   * `big` would double the time with each level of a hostile expression.
   */
  readonly either: (record: RecordData) => number | bigint;
  /** Offset in the record of a plain 8-byte value, which can be printed without a bigint. */
  readonly wordsAt?: number;
}

const twoTo32 = 2 ** 32;
const maxHigh = 2 ** 21;

export function constantValue(value: bigint): Value {
  const number = value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : tooBig;
  const either = number === tooBig ? value : number;
  return { number: () => number, big: () => value, either: () => either };
}

/** A value that is always small. */
export function smallValue(number: (record: RecordData) => number): Value {
  return { number, big: (record) => BigInt(number(record)), either: number };
}

/** A value that needs 64-bit arithmetic. */
export function bigValue(big: (record: RecordData) => bigint): Value {
  return eitherValue((record) => {
    const value = big(record);
    return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
  });
}

/** A value of an operation. @param either returns a bigint only if a number cannot hold the value */
export function eitherValue(either: (record: RecordData) => number | bigint): Value {
  return {
    number: (record) => {
      const value = either(record);
      return typeof value === 'number' ? value : tooBig;
    },
    big: (record) => BigInt(either(record)),
    either,
  };
}

/** The integer of 1, 2, 4 or 8 bytes at an offset of the record; 0 beyond its end, and for other sizes. */
export function memoryValue(offset: number, bytes: number): Value {
  const end = offset + bytes;
  switch (bytes) {
    case 1:
      return smallValue((record) => (end > record.dataBytes ? 0 : record.page[record.dataOffset + offset]!));
    case 2:
      return smallValue((record) =>
        end > record.dataBytes ? 0 : record.view.getUint16(record.dataOffset + offset, true),
      );
    case 4:
      return smallValue((record) =>
        end > record.dataBytes ? 0 : record.view.getUint32(record.dataOffset + offset, true),
      );
    case 8:
      return {
        number: (record) => {
          if (end > record.dataBytes) return 0;
          const at = record.dataOffset + offset;
          const high = record.view.getUint32(at + 4, true);
          return high < maxHigh ? high * twoTo32 + record.view.getUint32(at, true) : tooBig;
        },
        big: (record) =>
          end > record.dataBytes ? 0n : record.view.getBigUint64(record.dataOffset + offset, true),
        either: (record) => {
          if (end > record.dataBytes) return 0;
          const at = record.dataOffset + offset;
          const high = record.view.getUint32(at + 4, true);
          if (high >= maxHigh) return record.view.getBigUint64(at, true);
          return high * twoTo32 + record.view.getUint32(at, true);
        },
        wordsAt: offset,
      };
    default:
      return constantValue(0n);
  }
}

/** The integer at an offset that differs between records. */
export function readMemory(record: RecordData, offset: number, bytes: number): bigint {
  if (offset < 0 || offset + bytes > record.dataBytes) return 0n;
  const at = record.dataOffset + offset;
  switch (bytes) {
    case 1:
      return BigInt(record.page[at]!);
    case 2:
      return BigInt(record.view.getUint16(at, true));
    case 4:
      return BigInt(record.view.getUint32(at, true));
    case 8:
      return record.view.getBigUint64(at, true);
    default:
      return 0n;
  }
}

/** The low 32 bits of a value, unsigned. */
export function low32(value: Value, record: RecordData): number {
  const whole = value.either(record);
  return typeof whole === 'bigint' ? Number(BigInt.asUintN(32, whole)) : whole % twoTo32;
}
