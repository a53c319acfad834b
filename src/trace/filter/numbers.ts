import type { Field } from '../format/field.ts';
import type { Candidate, Test } from './candidate.ts';
import type { Arithmetic } from './parse.ts';

/**
 * Computes a number from an event, as C's unsigned long long. Undefined if the record is too short, or on division by
 * 0.
 */
export type Wide = (event: Candidate) => bigint | undefined;
/** As `Wide`, for a number that fits in 32 bits, signed or unsigned; NaN instead of undefined. */
export type Narrow = (event: Candidate) => number;

export type Order = '==' | '!=' | '<' | '>' | '<=' | '>=';

/** Reads an integer field of 1, 2 or 4 bytes; undefined for other fields. */
export function narrowField({ content, offset, bytes, signed }: Field): Narrow | undefined {
  if (content !== 'integer') return undefined;
  const end = offset + bytes;
  switch (bytes * (signed ? -1 : 1)) {
    case 1:
      return ({ cursor }) =>
        end > cursor.dataBytes ? Number.NaN : cursor.view.getUint8(cursor.dataOffset + offset);
    case -1:
      return ({ cursor }) =>
        end > cursor.dataBytes ? Number.NaN : cursor.view.getInt8(cursor.dataOffset + offset);
    case 2:
      return ({ cursor }) =>
        end > cursor.dataBytes ? Number.NaN : cursor.view.getUint16(cursor.dataOffset + offset, true);
    case -2:
      return ({ cursor }) =>
        end > cursor.dataBytes ? Number.NaN : cursor.view.getInt16(cursor.dataOffset + offset, true);
    case 4:
      return ({ cursor }) =>
        end > cursor.dataBytes ? Number.NaN : cursor.view.getUint32(cursor.dataOffset + offset, true);
    case -4:
      return ({ cursor }) =>
        end > cursor.dataBytes ? Number.NaN : cursor.view.getInt32(cursor.dataOffset + offset, true);
    default:
      return undefined;
  }
}

/** Reads an integer field of 8 bytes. */
export function wideField({ offset }: Field): Wide {
  const end = offset + 8;
  return ({ cursor }) =>
    end > cursor.dataBytes ? undefined : cursor.view.getBigUint64(cursor.dataOffset + offset, true);
}

export function widened(narrow: Narrow): Wide {
  return (event) => {
    const value = narrow(event);
    return Number.isNaN(value) ? undefined : BigInt.asUintN(64, BigInt(value));
  };
}

/**
 * Added to negative numbers: as doubles they then compare like 64-bit unsigned numbers, above all non-negative ones.
 */
const aboveAll = 2 ** 53;

/** Compares a narrow number with a constant, both as unsigned 64-bit numbers. */
export function compareNarrow(narrow: Narrow, order: Order, constant: bigint): Test {
  const limit = placeOf(constant);
  const place = (event: Candidate): number => {
    const value = narrow(event);
    return value < 0 ? value + aboveAll : value;
  };
  switch (order) {
    case '==':
      return (event) => place(event) === limit;
    case '!=':
      return (event) => {
        const value = place(event);
        return value < limit || value > limit;
      };
    case '<':
      return (event) => place(event) < limit;
    case '>':
      return (event) => place(event) > limit;
    case '<=':
      return (event) => place(event) <= limit;
    case '>=':
      return (event) => place(event) >= limit;
    default:
      return order satisfies never;
  }
}

function placeOf(constant: bigint): number {
  if (constant < 1n << 32n) return Number(constant);
  const negative = BigInt.asIntN(64, constant);
  if (negative < 0n && negative >= -(1n << 32n)) return Number(negative) + aboveAll;
  // lies between the non-negative and the negative numbers, so it equals no 32-bit number
  return 2 ** 40;
}

/** Compares an 8-byte field with a constant in two halves, which is faster than a bigint per event. */
export function compareWideField({ offset }: Field, order: Order, constant: bigint): Test {
  const end = offset + 8;
  const low = Number(constant & 0xffff_ffffn);
  const high = Number(constant >> 32n);
  const compare = ({ cursor }: Candidate): number => {
    if (end > cursor.dataBytes) return Number.NaN;
    const at = cursor.dataOffset + offset;
    const difference = cursor.view.getUint32(at + 4, true) - high;
    return difference === 0 ? cursor.view.getUint32(at, true) - low : difference;
  };
  switch (order) {
    case '==':
      return (event) => compare(event) === 0;
    case '!=':
      return (event) => {
        const difference = compare(event);
        return difference < 0 || difference > 0;
      };
    case '<':
      return (event) => compare(event) < 0;
    case '>':
      return (event) => compare(event) > 0;
    case '<=':
      return (event) => compare(event) <= 0;
    case '>=':
      return (event) => compare(event) >= 0;
    default:
      return order satisfies never;
  }
}

export function compareWide(left: Wide, order: Order, right: Wide): Test {
  return (event) => {
    const a = left(event);
    const b = right(event);
    if (a === undefined || b === undefined) return false;
    switch (order) {
      case '==':
        return a === b;
      case '!=':
        return a !== b;
      case '<':
        return a < b;
      case '>':
        return a > b;
      case '<=':
        return a <= b;
      case '>=':
        return a >= b;
      default:
        return order satisfies never;
    }
  };
}

/** Arithmetic as in C on unsigned long long. */
export function calculate(left: Wide, op: Arithmetic, right: Wide): Wide {
  return (event) => {
    const a = left(event);
    const b = right(event);
    return a === undefined || b === undefined ? undefined : calculated(a, op, b);
  };
}

/**
 * The result of an operation; undefined for a division by 0. A shift uses only the lowest six bits of `b`, as on x86.
 */
export function calculated(a: bigint, op: Arithmetic, b: bigint): bigint | undefined {
  switch (op) {
    case '+':
      return BigInt.asUintN(64, a + b);
    case '-':
      return BigInt.asUintN(64, a - b);
    case '*':
      return BigInt.asUintN(64, a * b);
    case '/':
      return b === 0n ? undefined : a / b;
    case '%':
      return b === 0n ? undefined : a % b;
    case '<<':
      return BigInt.asUintN(64, a << (b & 63n));
    case '>>':
      return a >> (b & 63n);
    case '&':
      return a & b;
    case '|':
      return a | b;
    case '^':
      return a ^ b;
    default:
      return op satisfies never;
  }
}
