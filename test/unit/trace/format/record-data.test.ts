import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseFieldLine, type Field } from '../../../../src/trace/format/field.ts';
import {
  readBytes,
  readInteger,
  readNumber,
  readText,
  readValue,
  type RecordData,
} from '../../../../src/trace/format/record-data.ts';

/** A record surrounded by other bytes of its page. */
function record(data: readonly number[]): RecordData {
  const page = new Uint8Array(data.length + 32).fill(0x41);
  page.set(data, 16);
  return { page, view: new DataView(page.buffer), dataOffset: 16, dataBytes: data.length };
}

function field(declared: string, offset: number, bytes: number, signed = 0): Field {
  return parseFieldLine(`field:${declared};offset:${offset};size:${bytes};signed:${signed};`)!;
}

const ascii = (text: string): number[] => [...new TextEncoder().encode(text)];

describe('integers of a record', () => {
  const ones = record([0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);

  it('are signed or not as the field is, and bigint from 8 bytes on', () => {
    assert.equal(readInteger(ones, field('u8 a', 0, 1)), 0xfe);
    assert.equal(readInteger(ones, field('s8 a', 0, 1, 1)), -2);
    assert.equal(readInteger(ones, field('u16 a', 0, 2)), 0xfffe);
    assert.equal(readInteger(ones, field('s16 a', 0, 2, 1)), -2);
    assert.equal(readInteger(ones, field('u32 a', 0, 4)), 0xffff_fffe);
    assert.equal(readInteger(ones, field('int a', 0, 4, 1)), -2);
    assert.equal(readInteger(ones, field('u64 a', 0, 8)), 0xffff_ffff_ffff_fffen);
    assert.equal(readInteger(ones, field('long a', 0, 8, 1)), -2n);
    assert.equal(readNumber(ones, field('long a', 0, 8, 1)), undefined);
  });

  it('end with the record', () => {
    assert.equal(readInteger(ones, field('u32 a', 4, 4)), 0xffff_ffff);
    assert.equal(readInteger(ones, field('u32 a', 5, 4)), undefined);
    assert.equal(readNumber(ones, field('u8 a', 8, 1)), undefined);
    assert.equal(readInteger(ones, field('char a[4]', 0, 4)), undefined);
  });

  it('can be arrays', () => {
    const data = record([1, 0, 2, 0, 3, 0, 0xff, 0xff]);
    assert.deepEqual(readValue(data, field('short a[4]', 0, 8, 1)), [1, 2, 3, -1]);
    assert.deepEqual(readValue(data, field('u32 a[]', 4, 0)), [0xffff_0003]);
    // the kernel cuts some arrays to what they hold; one that begins beyond the record is not there
    assert.deepEqual(readValue(data, field('short a[4]', 2, 8, 1)), [2, 3, -1]);
    assert.equal(readValue(data, field('short a[4]', 10, 8, 1)), undefined);
    const dynamic = record([6, 0, 5, 0, 9, 9, 1, 0, 2, 0, 7]);
    assert.deepEqual(readValue(dynamic, field('__data_loc u16[] a', 0, 4)), [1, 2]);
  });
});

describe('text of a record', () => {
  it('ends at its first NUL, or at the field’s or the record’s end', () => {
    const data = record(ascii('comm\0rest'));
    assert.equal(readText(data, field('char comm[8]', 0, 8)), 'comm');
    assert.equal(readText(data, field('char comm[4]', 0, 4)), 'comm');
    assert.equal(readText(data, field('char buf[]', 5, 0)), 'rest');
    assert.equal(readText(data, field('char comm[8]', 2, 8)), undefined);
    assert.equal(readText(data, field('char buf[]', 9, 0)), '');
    assert.equal(readText(data, field('char buf[]', 10, 0)), undefined);
    assert.equal(readText(data, field('u8 comm[8]', 0, 8)), undefined);
  });

  it('is UTF-8, short or long, with replacement characters for invalid bytes', () => {
    const long = 'ä'.repeat(40);
    assert.equal(readText(record(ascii('grün\0')), field('char buf[]', 0, 0)), 'grün');
    assert.equal(readText(record(ascii(long)), field('char buf[]', 0, 0)), long);
    assert.equal(readText(record([0x61, 0xff, 0]), field('char buf[]', 0, 0)), 'a\uFFFD');
    assert.equal(readText(record(ascii('\uFEFFx')), field('char buf[]', 0, 0)), '\uFEFFx');
  });

  it('is found through __data_loc and __rel_loc', () => {
    const dataLoc = field('__data_loc char[] name', 4, 4);
    const relLoc = field('__rel_loc char[] name', 4, 4);
    const located = (offset: number, bytes: number): RecordData =>
      record([0, 0, 0, 0, offset, 0, bytes, 0, ...ascii('abcd')]);
    assert.equal(readText(located(9, 3), dataLoc), 'bcd');
    assert.equal(readText(located(9, 4), dataLoc), undefined);
    assert.equal(readText(located(200, 0), dataLoc), undefined);
    assert.equal(readText(located(1, 3), relLoc), 'bcd');
    assert.equal(readText(located(1, 4), relLoc), undefined);
    assert.equal(readText(record([0, 0, 0, 0, 0, 0, 0]), dataLoc), undefined);
  });
});

describe('opaque bytes of a record', () => {
  it('are a view into the record', () => {
    const data = record([1, 2, 3, 4, 5]);
    assert.deepEqual([...readBytes(data, field('struct odd a', 1, 3))!], [2, 3, 4]);
    assert.deepEqual(
      readValue(data, field('struct odd a', 1, 3)),
      readBytes(data, field('struct odd a', 1, 3)),
    );
    assert.equal(readBytes(data, field('struct odd a', 3, 3)), undefined);
  });
});
