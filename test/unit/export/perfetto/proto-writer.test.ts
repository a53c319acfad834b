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

  it('writes fields of eight bytes', () => {
    const writer = new ProtoWriter();
    const values = [0, 1, 2 ** 32 + 7, Number.MAX_SAFE_INTEGER];
    for (const value of values) writer.fixed64(47, value);
    assert.equal(writer.length, values.length * (2 + 8));
    assert.deepEqual(
      fieldsOf(writer.view()),
      values.map((value) => [47, BigInt(value)]),
    );
  });

  it('writes texts in UTF-8', () => {
    const texts = ['', 'nginx', `${'x'.repeat(200)}ß`, 'ß', '日本', '\u{1F600}', 'a\0b\x7f', '\ud800'];
    const writer = new ProtoWriter();
    for (const text of texts) writer.text(23, text);
    assert.deepEqual(
      fieldsOf(writer.view()),
      texts.map((text) => [23, new TextEncoder().encode(text)]),
    );
  });

  it('writes messages into each other', () => {
    const long = 'x'.repeat(200);
    const writer = new ProtoWriter();
    writer.message(3, (outer) => {
      outer.number(1, 7);
      outer.message(60, (inner) => inner.text(2, long));
      outer.message(5, () => {});
    });
    writer.number(9, 1);
    const [[, outer] = [], last] = fieldsOf(writer.view());
    assert.ok(outer instanceof Uint8Array);
    const [, [, inner] = [], empty] = fieldsOf(outer);
    assert.ok(inner instanceof Uint8Array);
    assert.deepEqual(fieldsOf(inner), [[2, new TextEncoder().encode(long)]]);
    assert.deepEqual(
      [empty, last],
      [
        [5, new Uint8Array(0)],
        [9, 1n],
      ],
    );
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
