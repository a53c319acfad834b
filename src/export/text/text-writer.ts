import type { Field } from '../../trace/format/field.ts';
import type { RecordData } from '../../trace/format/record-data.ts';
import { ByteBuffer } from '../../base/byte-buffer.ts';

/** Maximum size of a 64-bit integer with sign or quotes. */
const integerBytes = 24;
const quote = 0x22;

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

  text(text: string): void {
    this.copy(encoder.encode(text));
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
    for (let at = start; at < end; at++) this.hexByte(page[at]!);
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
    this.decimal(value);
  }

  /** @param low @param high unsigned halves */
  #integer64(low: number, high: number, signed: boolean): void {
    const value = high * 2 ** 32 + low;
    if (value <= Number.MAX_SAFE_INTEGER) {
      this.decimal(value);
      return;
    }
    const bits = (BigInt(high) << 32n) | BigInt(low);
    const exact = signed ? BigInt.asIntN(64, bits) : bits;
    if (exact < 0n && exact >= -BigInt(Number.MAX_SAFE_INTEGER)) {
      this.decimal(Number(exact));
      return;
    }
    this.reserve(integerBytes);
    const isQuoted = this.#bigIntegers === 'quoted';
    if (isQuoted) this.bytes[this.length++] = quote;
    const digits = exact.toString();
    for (let index = 0; index < digits.length; index++) this.bytes[this.length++] = digits.charCodeAt(index);
    if (isQuoted) this.bytes[this.length++] = quote;
  }
}
