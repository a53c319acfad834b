import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bitmaskText, cpumaskText } from '../../../../src/print/text/masks.ts';

describe('masks', () => {
  it('bits in words of eight digits, the highest first', () => {
    const cases: readonly (readonly [bytes: readonly number[], text: string])[] = [
      [[], ''],
      [[0x0f], '0f'],
      [[1, 2, 3, 4], '04030201'],
      [[1, 2, 3, 4, 5], '05,04030201'],
      [[1, 2, 3, 4, 5, 6, 7, 8], '08070605,04030201'],
    ];
    for (const [bytes, text] of cases) assert.equal(bitmaskText(Uint8Array.from(bytes)), text);
  });

  it('the longest array in linear time', () => {
    // quadratic time would be minutes
    const bytes = new Uint8Array(65_535).fill(0x55);
    assert.equal(bitmaskText(bytes).length, 2 * 65_535 + Math.floor(65_535 / 4));
    assert.ok(cpumaskText(bytes).startsWith('0,2,4,6'));
  });
});
