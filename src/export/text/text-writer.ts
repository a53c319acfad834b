import type { Field } from '../../trace/format/field.ts';
import type { RecordData } from '../../trace/format/record-data.ts';
import { ByteBuffer } from '../output/byte-buffer.ts';

/** Maximum size of a 64-bit integer with sign or quotes. */
const integerBytes = 24;
const zero = 0x30;
const minus = 0x2d;
const quote = 0x22;
/** Digits written at once; 10^9 is the largest power of ten below 2^32. */
const groupDigits = 9;
const group = 1e9;

const encoder = new TextEncoder();
const time = new BigUint64Array(1);
const timeHalves = new Uint32Array(time.buffer);

/** Which integers are written in quotes: none, or those that JavaScript cannot hold exactly. */
export type BigIntegers = 'bare' | 'quoted';

/** Writes text into a byte buffer; writes numbers without creating strings. */
export class TextWriter extends ByteBuffer {
  readonly #bigIntegers: BigIntegers;

  constructor(bigIntegers: BigIntegers) {
    super();
    this.#bigIntegers = bigIntegers;
  }

  byte(value: number): void {
    this.reserve(1);
    this.bytes[this.at++] = value;
  }

  text(text: string): void {
    this.append(encoder.encode(text));
  }

  /** Copies a few bytes in a loop, which is faster than a call. */
  copy(from: Uint8Array): void {
    this.reserve(from.length);
    const { bytes } = this;
    let at = this.at;
    for (let index = 0; index < from.length; index++) bytes[at++] = from[index]!;
    this.at = at;
  }

  /** A non-negative integer up to 2^53. */
  natural(value: number): void {
    this.reserve(integerBytes);
    this.#natural(value);
  }

  time(timestamp: bigint): void {
    time[0] = timestamp;
    this.#integer64(timeHalves[0]!, timeHalves[1]!, false);
  }

  /** The value of an integer field, which lies within the record. */
  integer(field: Field, record: RecordData): void {
    const { elementBytes, signed, offset } = field;
    this.integerAt(record.view, record.dataOffset + offset, elementBytes, signed);
  }

  /** An array's integers, separated by commas. */
  integers(record: RecordData, { elementBytes, signed }: Field, start: number, end: number): void {
    for (let at = start; at + elementBytes <= end; at += elementBytes) {
      if (at > start) this.byte(0x2c);
      this.integerAt(record.view, at, elementBytes, signed);
    }
  }

  hex(page: Uint8Array, start: number, end: number): void {
    this.reserve((end - start) * 2);
    const { bytes } = this;
    let to = this.at;
    for (let at = start; at < end; at++) {
      const byte = page[at]!;
      bytes[to++] = hexDigit(byte >>> 4);
      bytes[to++] = hexDigit(byte & 15);
    }
    this.at = to;
  }

  integerAt(view: DataView, at: number, bytes: number, signed: boolean): void {
    let value: number;
    switch (bytes) {
      case 1:
        value = signed ? view.getInt8(at) : view.getUint8(at);
        break;
      case 2:
        value = signed ? view.getInt16(at, true) : view.getUint16(at, true);
        break;
      case 4:
        value = signed ? view.getInt32(at, true) : view.getUint32(at, true);
        break;
      default:
        this.#integer64(view.getUint32(at, true), view.getUint32(at + 4, true), signed);
        return;
    }
    this.reserve(integerBytes);
    if (value < 0) this.bytes[this.at++] = minus;
    this.#natural(Math.abs(value));
  }

  /** @param low @param high unsigned halves */
  #integer64(low: number, high: number, signed: boolean): void {
    this.reserve(integerBytes);
    const value = high * 2 ** 32 + low;
    if (value <= Number.MAX_SAFE_INTEGER) {
      this.#natural(value);
      return;
    }
    const bits = (BigInt(high) << 32n) | BigInt(low);
    const exact = signed ? BigInt.asIntN(64, bits) : bits;
    if (exact < 0n && exact >= -BigInt(Number.MAX_SAFE_INTEGER)) {
      this.bytes[this.at++] = minus;
      this.#natural(Number(-exact));
      return;
    }
    const isQuoted = this.#bigIntegers === 'quoted';
    if (isQuoted) this.bytes[this.at++] = quote;
    const digits = exact.toString();
    for (let index = 0; index < digits.length; index++) this.bytes[this.at++] = digits.charCodeAt(index);
    if (isQuoted) this.bytes[this.at++] = quote;
  }

  #natural(value: number): void {
    if (value >= group) {
      const upper = Math.floor(value / group);
      this.#natural(upper);
      this.#digits(value - upper * group, groupDigits);
      return;
    }
    let count = 1;
    for (let power = 10; power <= value; power *= 10) count++;
    this.#digits(value, count);
  }

  #digits(value: number, count: number): void {
    const { bytes, at } = this;
    let rest = value;
    for (let index = at + count - 1; index >= at; index--) {
      const next = Math.floor(rest / 10);
      bytes[index] = zero + rest - next * 10;
      rest = next;
    }
    this.at = at + count;
  }
}

function hexDigit(value: number): number {
  return value < 10 ? zero + value : 0x61 - 10 + value;
}
