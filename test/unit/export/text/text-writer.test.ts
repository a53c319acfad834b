import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type BigIntegers, TextWriter } from '../../../../src/export/text/text-writer.ts';

/** Values around each power of two and of ten. */
const edges = [
  0n,
  ...[2n, 10n].flatMap((base) => Array.from({ length: 64 }, (_, power) => base ** BigInt(power))),
]
  .flatMap((value) => [value - 1n, value, value + 1n])
  .flatMap((value) => [value, -value]);

function written(bytes: number, isSigned: boolean, value: bigint, bigIntegers: BigIntegers): string {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigInt64(0, value, true);
  const writer = new TextWriter(bigIntegers);
  writer.integerAt(view, 0, bytes, isSigned);
  return new TextDecoder().decode(writer.view());
}

describe('a writer of text', () => {
  it('writes integers of every size in decimal', () => {
    for (const bytes of [1, 2, 4, 8]) {
      for (const value of edges) {
        const signed = BigInt.asIntN(bytes * 8, value);
        assert.equal(written(bytes, true, signed, 'bare'), String(signed));
        const unsigned = BigInt.asUintN(bytes * 8, value);
        assert.equal(written(bytes, false, unsigned, 'bare'), String(unsigned));
      }
    }
  });

  it('quotes those that JSON readers would round', () => {
    const most = BigInt(Number.MAX_SAFE_INTEGER);
    for (const value of [most, -most]) assert.equal(written(8, true, value, 'quoted'), String(value));
    for (const value of [most + 1n, -most - 1n])
      assert.equal(written(8, true, value, 'quoted'), `"${value}"`);
  });

  it('writes times, and bytes in hexadecimal', () => {
    const writer = new TextWriter('bare');
    writer.time(13_520_153_338n);
    writer.time(2n ** 63n);
    writer.hex(Uint8Array.of(9, 0x0a, 0xf5, 0x99), 1, 3);
    assert.equal(new TextDecoder().decode(writer.view()), '1352015333892233720368547758080af5');
  });
});
