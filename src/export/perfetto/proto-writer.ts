import { ByteBuffer } from '../../base/byte-buffer.ts';

/** Maximum size of a varint. */
export const varintBytes = 10;
const maxLengthBytes = 5;

const utf8 = new TextEncoder();

/** Wire types of protobuf. */
const varintType = 0;
const fixed64Type = 1;
const lengthType = 2;

/**
 * Writes protobuf messages into one buffer. The first group of methods needs room reserved by the caller; the methods
 * of the second group reserve it themselves, for rarely written data.
 */
export class ProtoWriter extends ByteBuffer {
  /** A varint of up to 32 bits, unsigned. */
  varint(value: number): void {
    const { bytes } = this;
    let at = this.length;
    let rest = value;
    while (rest > 0x7f) {
      bytes[at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    bytes[at++] = rest;
    this.length = at;
  }

  /** A varint of 64 bits, from two unsigned halves. */
  varint64(low: number, high: number): void {
    if (high === 0) {
      this.varint(low);
      return;
    }
    const { bytes } = this;
    let at = this.length;
    bytes[at++] = (low & 0x7f) | 0x80;
    bytes[at++] = ((low >>> 7) & 0x7f) | 0x80;
    bytes[at++] = ((low >>> 14) & 0x7f) | 0x80;
    bytes[at++] = ((low >>> 21) & 0x7f) | 0x80;
    // 4 bits of the low half remain
    const middle = (low >>> 28) | ((high & 7) << 4);
    let rest = high >>> 3;
    if (rest === 0) {
      bytes[at++] = middle;
    } else {
      bytes[at++] = middle | 0x80;
      while (rest > 0x7f) {
        bytes[at++] = (rest & 0x7f) | 0x80;
        rest >>>= 7;
      }
      bytes[at++] = rest;
    }
    this.length = at;
  }

  /** Leaves a byte for a message's length; `close` fills it in. @returns where the message begins */
  open(): number {
    return ++this.length;
  }

  /** Ends the message that begins at `start`. If it is longer than 127 bytes (rare), it is moved. */
  close(start: number): void {
    const length = this.length - start;
    if (length <= 0x7f) {
      this.bytes[start - 1] = length;
      return;
    }
    const more = lengthBytes(length) - 1;
    this.bytes.copyWithin(start + more, start, this.length);
    this.length = start - 1;
    this.varint(length);
    this.length = start + more + length;
  }

  /** A varint field; reserves its room. */
  number(field: number, value: number | bigint): void {
    this.reserve(2 * varintBytes);
    this.tag(field, varintType);
    if (typeof value === 'number' && value >= 0 && value <= 0xffff_ffff) {
      this.varint(value);
      return;
    }
    const bits = BigInt.asUintN(64, BigInt(value));
    this.varint64(Number(bits & 0xffff_ffffn), Number(bits >> 32n));
  }

  text(field: number, text: string): void {
    const start = this.length;
    this.lengthOf(field, text.length);
    const { bytes } = this;
    let to = this.length;
    // faster than an encoder for the usual short texts
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (code > 0x7f) {
        this.length = start;
        this.block(field, utf8.encode(text));
        return;
      }
      bytes[to++] = code;
    }
    this.length = to;
  }

  /** A field of bytes, or a whole message. */
  block(field: number, content: Uint8Array): void {
    this.lengthOf(field, content.length);
    this.copy(content);
  }

  /** The beginning of a field whose content of `length` bytes is appended next. */
  lengthOf(field: number, length: number): void {
    this.reserve(2 * varintBytes + length);
    this.tag(field, lengthType);
    this.varint(length);
  }

  /** An integer below 2^53, in eight bytes. */
  fixed64(field: number, value: number): void {
    this.reserve(varintBytes + 8);
    this.tag(field, fixed64Type);
    const view = new DataView(this.bytes.buffer, this.bytes.byteOffset + this.length, 8);
    view.setBigUint64(0, BigInt(value), true);
    this.length += 8;
  }

  /** A message that `write` writes into this writer. */
  message(field: number, write: (writer: ProtoWriter) => void): void {
    this.reserve(2 * varintBytes);
    this.tag(field, lengthType);
    const start = this.open();
    write(this);
    this.reserve(varintBytes);
    this.close(start);
  }

  tag(field: number, type: number): void {
    this.varint(((field << 3) | type) >>> 0);
  }
}

/** Size of a field whose content has `length` bytes, for field numbers below 16. */
export function fieldBytes(length: number): number {
  return 1 + lengthBytes(length) + length;
}

/** The bytes of a tag, to be copied in hot loops. */
export function tagBytes(field: number, isVarint: boolean): Uint8Array {
  const writer = new ProtoWriter();
  writer.reserve(varintBytes);
  writer.tag(field, isVarint ? varintType : lengthType);
  return writer.view().slice();
}

function lengthBytes(length: number): number {
  let bytes = 1;
  for (let rest = length >>> 7; rest > 0; rest >>>= 7) bytes++;
  return Math.min(bytes, maxLengthBytes);
}
