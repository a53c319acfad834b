import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ProtoWriter, tagBytes, varintBytes } from '../../../../src/export/perfetto/proto-writer.ts';
import { fieldsOf, readVarint } from './proto-reader.ts';

/** The smallest and largest values of each length, and of each half. */
const edges = [
  0n,
  ...Array.from({ length: 64 }, (_, bits) => [(1n << BigInt(bits)) - 1n, 1n << BigInt(bits)]).flat(),
  (1n << 64n) - 1n,
];

describe('a protobuf writer', () => {
  it('writes integers of 64 bits in the shortest form', () => {
    for (const value of edges) {
      const writer = new ProtoWriter();
      writer.reserve(varintBytes);
      writer.varint64(Number(value & 0xffff_ffffn), Number(value >> 32n));
      const { value: read, end } = readVarint(writer.view(), 0);
      assert.equal(read, value);
      assert.equal(end, writer.length);
      const bits = value.toString(2).length;
      assert.equal(writer.length, Math.max(1, Math.ceil(bits / 7)), `${value}`);
    }
  });

  it('writes integers of 32 bits', () => {
    for (const value of edges.filter((edge) => edge < 1n << 32n)) {
      const writer = new ProtoWriter();
      writer.reserve(varintBytes);
      writer.varint(Number(value));
      assert.equal(readVarint(writer.view(), 0).value, value);
    }
  });

  it("writes a negative field as the two's complement in 64 bits", () => {
    const writer = new ProtoWriter();
    writer.number(1, -2);
    assert.deepEqual(fieldsOf(writer.view()), [[1, (1n << 64n) - 2n]]);
  });

  it('ends messages whose length takes one byte, two and three, one in the other', () => {
    for (const length of [0, 1, 127, 128, 16_383, 16_384, 100_000]) {
      const content = new Uint8Array(length).map((_, index) => index);
      const writer = new ProtoWriter();
      writer.reserve(64);
      for (const _ of [1, 2]) {
        writer.reserve(64);
        writer.bytes[writer.length++] = tagBytes(3, false)[0]!;
        const outer = writer.open();
        writer.bytes[writer.length++] = tagBytes(4, false)[0]!;
        const inner = writer.open();
        writer.copy(content);
        writer.reserve(64);
        writer.close(inner);
        writer.close(outer);
      }
      const messages = fieldsOf(writer.view());
      assert.equal(messages.length, 2);
      for (const [number, message] of messages) {
        assert.ok(message instanceof Uint8Array);
        assert.equal(number, 3);
        assert.deepEqual(fieldsOf(message), [[4, content]]);
      }
    }
  });
});
