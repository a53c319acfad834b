import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseUnsigned } from '../../../../src/print/format/numbers.ts';

test('numbers of any length, as strtoull reads them', () => {
  const most = (1n << 64n) - 1n;
  const zeros = '0'.repeat(1_000_000);
  const cases: readonly (readonly [text: string, value: bigint])[] = [
    ['18446744073709551615', most],
    ['18446744073709551616', most],
    ['0xffffffffffffffff', most],
    ['0x10000000000000000', most],
    ['01777777777777777777777', most],
    ['02000000000000000000000', most],
    [`0x${zeros}1f`, 0x1fn],
    [`0${zeros}17`, 15n],
    [`0x${zeros}`, 0n],
    ['9'.repeat(5_000_000), most],
    [`-${zeros}1`, most],
  ];
  for (const [text, value] of cases) assert.equal(parseUnsigned(text), value, text.slice(0, 40));
});
