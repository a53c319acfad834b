import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseConversion, writeInteger, writeText } from '../../../src/print/text/conversion.ts';
import { bitmaskText, cpumaskText } from '../../../src/print/text/masks.ts';
import { TextBuffer } from '../../../src/print/text/text-buffer.ts';

function written(write: (out: TextBuffer) => void, room = 1): string {
  const out = new TextBuffer(room);
  write(out);
  return Buffer.from(out.bytes.subarray(0, out.length)).toString('latin1');
}

describe('numbers', () => {
  const numbers = [
    0,
    9,
    10,
    999_999_999,
    1e9,
    1e9 + 1,
    123_456_789_012,
    1e15,
    1e15 + 7,
    Number.MAX_SAFE_INTEGER,
  ];

  it('are written in decimal, negative ones too', () => {
    for (const number of numbers)
      for (const value of [number, -number])
        assert.equal(
          written((out) => out.decimal(value)),
          String(value === 0 ? 0 : value),
        );
  });

  it('are written with zeros in front', () => {
    for (const number of numbers)
      for (const width of [1, 6, 9, 12, 18])
        assert.equal(
          written((out) => out.zeroPadded(number, width)),
          String(number).padStart(width, '0'),
        );
  });

  it('are written in hexadecimal, up to 64 bits', () => {
    for (const number of numbers)
      assert.equal(
        written((out) => out.hex(number)),
        number.toString(16),
      );
    for (const value of [0n, 1n, 0xffffffffn, 1n << 32n, 1n << 53n, (1n << 53n) + 1n, (1n << 64n) - 1n])
      assert.equal(
        written((out) => out.hexWords(Number(value >> 32n), Number(value & 0xffffffffn))),
        value.toString(16),
      );
  });

  it('beyond 2^53 have all their digits, with any flags', () => {
    const show = (spec: string, value: bigint): string =>
      written((out) => writeInteger(out, parseConversion(spec), value));
    const value = (1n << 64n) - 1n;
    assert.equal(show('%u', value), '18446744073709551615');
    assert.equal(show('%25u', value), '     18446744073709551615');
    assert.equal(show('%-25u|', value).trimEnd(), '18446744073709551615');
    assert.equal(show('%#o', value), '01777777777777777777777');
    assert.equal(show('%#020X', (1n << 53n) + 1n), '0X000020000000000001');
    assert.equal(show('%d', -(1n << 63n)), '-9223372036854775808');
    assert.equal(show('%.25d', -(1n << 63n)), '-0000009223372036854775808');
  });

  it('are never wider than 4096 characters, whatever a format asks for', () => {
    assert.equal(written((out) => writeInteger(out, parseConversion('%999999999d'), 5)).length, 4096);
    assert.equal(written((out) => writeInteger(out, parseConversion('%.999999999d'), 5)).length, 4096);
  });
});

describe('texts', () => {
  it('end at a NUL, at the precision and at the end of the source', () => {
    const source = Buffer.from('abc\0def');
    const show = (spec: string, end: number): string =>
      written((out) => writeText(out, parseConversion(spec), source, 0, end));
    assert.equal(show('%s', 7), 'abc');
    assert.equal(show('%s', 2), 'ab');
    assert.equal(show('%.2s', 7), 'ab');
    assert.equal(show('%5s', 7), '  abc');
    assert.equal(show('%-5.1s', 7), 'a    ');
  });

  it('a line ends at a NUL, and with one newline', () => {
    const line = (write: (out: TextBuffer) => void): string =>
      written((out) => {
        out.string('before\n');
        const start = out.length;
        write(out);
        out.endLine(start);
      });
    assert.equal(
      line((out) => out.string('text')),
      'before\ntext\n',
    );
    assert.equal(
      line((out) => out.string('text\n')),
      'before\ntext\n',
    );
    assert.equal(
      line((out) => out.string('text\n\n')),
      'before\ntext\n\n',
    );
    assert.equal(
      line(() => {}),
      'before\n\n',
    );
    const cut = line((out) => {
      out.string('kept');
      out.cut();
      out.string('dropped');
      out.cut();
    });
    assert.equal(cut, 'before\nkept\n');
  });
});

it('masks are written as the kernel writes them', () => {
  assert.equal(bitmaskText(Uint8Array.of(0xf1, 0, 0, 0)), '000000f1');
  assert.equal(bitmaskText(Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0x80)), '80000000,00000001');
  assert.equal(cpumaskText(Uint8Array.of(0)), '');
  assert.equal(cpumaskText(Uint8Array.of(0b1011_0111, 0x80)), '0-2,4-5,7,15');
  assert.equal(cpumaskText(Uint8Array.of(0xff, 0xff)), '0-15');
});
